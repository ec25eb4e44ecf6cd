/** One place that serves a repository: a registry, or a mirror of it. What registries.conf says is already in it. */
export interface RegistryEndpoint {
  /** `HOST[:PORT]` as people write it: names credentials and certs.d folders, and stands in messages. */
  readonly registry: string;
  /** `HOST[:PORT]` that is spoken to; differs for docker.io only. */
  readonly apiHost: string;
  readonly repository: string;
  /** In the order in which they are tried; the second only where the first is not spoken. */
  readonly schemes: readonly ('https' | 'http')[];
  /** False only where registries.conf says insecure. */
  readonly verifyTls: boolean;
  /** Whether what is not had here is asked for elsewhere next. */
  readonly isMirror?: boolean;
}
