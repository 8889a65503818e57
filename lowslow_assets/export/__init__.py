"""The sign-in log where it lies: folders, containers, workspaces, Microsoft Graph."""
