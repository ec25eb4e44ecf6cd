/** How long to wait for what. */
export interface HttpTimeouts {
  readonly connectMs: number;
  /** From the request to the last header. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
}

/** Slow satellites connect in seconds; a registry that generates a token or wakes storage may take tens of them. */
export const DEFAULT_TIMEOUTS: HttpTimeouts = {
  connectMs: 15_000,
  headersMs: 60_000,
  idleMs: 30_000,
};
