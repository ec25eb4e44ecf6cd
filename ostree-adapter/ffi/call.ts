import { takeError } from './g-error.js';
import {
  native,
  type Functions,
  type NativeArgument,
  type NativeFunction,
  type Pointer,
} from './library.js';
import { slot, slotPointer } from './memory.js';

/*
 * Calls that can fail. All of them take `GCancellable *cancellable, GError **error` or `GError **error` at the end; the
 * error is what tells whether they failed, so that the same holds for calls that give a pointer, a gboolean, or a length.
 */

/** Names of functions whose last argument is a `GError **`. */
export type FunctionName = keyof Functions;

/** Calls in this thread. The place for the error is added. */
export function callSync<Name extends FunctionName>(
  name: Name,
  ...args: readonly NativeArgument[]
): ReturnType<Functions[Name]> {
  const error = slot();
  const result = native()[name](...args, error) as ReturnType<Functions[Name]>;
  const failed = slotPointer(error);
  if (failed !== undefined) throw takeError(name, failed);
  return result;
}

/** As {@link callSync}, where the call always gives something when it does not fail. */
export function callForPointer(name: FunctionName, ...args: readonly NativeArgument[]): Pointer {
  const result = callSync(name, ...args);
  if (typeof result !== 'bigint') throw new Error(`internal error: ${name}() gave nothing`);
  return result;
}

/** For calls in another thread. */
export interface AsyncOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What else must live as long as a call in another thread: bytes that it is only given the address of. */
export interface HoldingOptions extends AsyncOptions {
  readonly holding?: readonly unknown[] | undefined;
}

/**
 * Calls in another thread. The places for the cancellable and the error are added. Everything that is passed is held until
 * the call is over, whatever the caller does meanwhile; a signal makes libostree stop at its next point of rest, and only
 * when it has stopped does this throw.
 *
 * @throws {@link OstreeError}; the signal's reason if that is why the call stopped
 */
export async function callAside<Name extends FunctionName>(
  name: Name,
  args: readonly NativeArgument[],
  options: HoldingOptions = {},
): Promise<ReturnType<Functions[Name]>> {
  return callFunctionAside(native()[name], name, { args, ...options }) as Promise<
    ReturnType<Functions[Name]>
  >;
}

/** As {@link callAside}, of a function that only some versions have. */
export async function callFunctionAside(
  nativeFunction: NativeFunction<unknown>,
  name: string,
  { args, signal, holding = [] }: HoldingOptions & { readonly args: readonly NativeArgument[] },
): Promise<unknown> {
  signal?.throwIfAborted();
  const cancellable = signal === undefined ? null : native().g_cancellable_new();
  const cancel = (): void => {
    native().g_cancellable_cancel(cancellable);
  };
  signal?.addEventListener('abort', cancel, { once: true });
  const error = slot();
  const passed = [...args, cancellable, error];
  const held = [...passed, ...holding];
  try {
    const result = await new Promise<unknown>((resolve, reject) => {
      nativeFunction.async(...passed, (problem: Error | null, value: unknown) => {
        if (problem === null) resolve(value);
        else reject(problem);
      });
    });
    const failed = slotPointer(error);
    if (failed === undefined) return result;
    const failure = takeError(name, failed);
    if (failure.isCancelled) signal?.throwIfAborted();
    throw failure;
  } finally {
    // Reading it here keeps what the call was given alive until the call is over.
    held.length = 0;
    signal?.removeEventListener('abort', cancel);
    if (cancellable !== null) native().g_object_unref(cancellable);
  }
}
