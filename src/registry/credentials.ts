/** What proves to a registry who is asking. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as `docker login` leaves it for some registries. */
  | { readonly kind: 'refresh-token'; readonly token: string };

/** Finds the credentials for a repository, or undefined to go without. */
export type FindCredentials = (target: {
  /** `HOST[:PORT]` as people write it. */
  readonly registry: string;
  readonly repository: string;
}) => Promise<Credentials | undefined>;
