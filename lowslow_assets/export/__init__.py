"""The sign-in log at its source: folders, containers, workspaces, Microsoft Graph."""
