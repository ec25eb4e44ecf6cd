/**
 * Whether `error` is a failed system call with one of the given names (`ENOENT`, …). Catch only what is expected and
 * rethrow the rest.
 */
export function isErrno(
  error: unknown,
  ...names: readonly string[]
): error is NodeJS.ErrnoException {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    names.includes(error.code)
  );
}
