/**
 * The error that came first: where releasing a `using` resource failed after its block had, JavaScript throws a
 * SuppressedError that holds both, and the one of the block is what a person has to hear.
 */
export function firstError(error: unknown): unknown {
  let first = error;
  // By name: Node 20 has no such class, and what the compiler puts in its place is a plain Error.
  while (first instanceof Error && first.name === 'SuppressedError' && 'suppressed' in first)
    first = first.suppressed;
  return first;
}
