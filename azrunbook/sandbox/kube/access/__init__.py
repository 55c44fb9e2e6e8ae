"""Who may do what: authentication, RBAC, the roles that every cluster starts with."""
