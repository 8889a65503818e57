"""Finds low-and-slow password sprays in Microsoft Entra ID sign-in logs."""
