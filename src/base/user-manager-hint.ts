/** What to do where a user's service manager is missing: sessions of su and sudo have none, unless the user lingers. */
export const NO_USER_MANAGER_HINT =
  "let it run without a session, too ('loginctl enable-linger USER', as root), or log in by ssh or 'machinectl shell USER@'";
