/** A failure that libostree, GLib or GIO reported: its `GError`. */
export class OstreeError extends Error {
  override readonly name = 'OstreeError';
  /** The C function that failed. */
  readonly operation: string;
  /** Name of the error domain: `g-io-error-quark`, `ostree-gpg-error`, … */
  readonly domain: string;
  /** Number of the error inside its domain. */
  readonly code: number;

  constructor(
    message: string,
    details: { readonly operation: string; readonly domain: string; readonly code: number },
  ) {
    super(message);
    this.operation = details.operation;
    this.domain = details.domain;
    this.code = details.code;
  }

  /** Whether it is `G_IO_ERROR_NOT_FOUND`: no such repository, ref, commit, object or file. */
  get isNotFound(): boolean {
    return this.#isIo(IoError.notFound);
  }

  /** Whether it is `G_IO_ERROR_EXISTS`. */
  get isExists(): boolean {
    return this.#isIo(IoError.exists);
  }

  /** Whether it is `G_IO_ERROR_NO_SPACE`: the disk is full, or nearer to it than the repository's configuration allows. */
  get isNoSpace(): boolean {
    return this.#isIo(IoError.noSpace);
  }

  /** Whether it is `G_IO_ERROR_PERMISSION_DENIED`. */
  get isPermissionDenied(): boolean {
    return this.#isIo(IoError.permissionDenied);
  }

  /** Whether it is `G_IO_ERROR_CANCELLED`. */
  get isCancelled(): boolean {
    return this.#isIo(IoError.cancelled);
  }

  /** Whether it is `G_IO_ERROR_NOT_SUPPORTED`: this build of libostree cannot do it. */
  get isNotSupported(): boolean {
    return this.#isIo(IoError.notSupported);
  }

  #isIo(code: number): boolean {
    return this.domain === 'g-io-error-quark' && this.code === code;
  }
}

/** Numbers of `GIOErrorEnum` (gio/gioenums.h). */
const IoError = {
  notFound: 1,
  exists: 2,
  noSpace: 12,
  permissionDenied: 14,
  notSupported: 15,
  cancelled: 19,
} as const;

/** An argument that libostree would abort on, or take for something else. It was not called. */
export class OstreeInputError extends Error {
  override readonly name = 'OstreeInputError';
}

/** Why libostree cannot be used: not there, not a library or without a function that is needed, or too old. */
export type LibraryProblem = 'missing' | 'broken' | 'too-old';

/** libostree, or a library that it needs, cannot be used in this process. */
export class OstreeLibraryError extends Error {
  override readonly name = 'OstreeLibraryError';
  readonly problem: LibraryProblem;

  constructor(problem: LibraryProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
