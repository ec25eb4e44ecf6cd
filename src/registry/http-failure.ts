/** Why there is no answer, or only a part of one. */
export type HttpFailureKind =
  /** Nobody listens there, or there is no way there. */
  | 'refused'
  /** The host name does not exist. */
  | 'name'
  /** The name service does not answer. */
  | 'name-temporary'
  /** Nothing came for too long, or too little. */
  | 'timeout'
  /** The peer speaks, but not TLS. */
  | 'not-tls'
  /** The certificate is not acceptable. */
  | 'certificate'
  /** The connection ended in the middle. */
  | 'closed'
  /** The proxy refused. */
  | 'proxy'
  /** What came is not HTTP as it should be. */
  | 'protocol'
  /** The name or address leads where this request must not go. */
  | 'address';

const RETRYABLE: readonly HttpFailureKind[] = ['name-temporary', 'timeout', 'closed'];

/** A request that got no whole answer. Internal to the registry client, which says for which image and what was asked. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly kind: HttpFailureKind;

  constructor(kind: HttpFailureKind, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
  }

  /** Whether the same request may succeed a little later. */
  get retryable(): boolean {
    return RETRYABLE.includes(this.kind);
  }
}
