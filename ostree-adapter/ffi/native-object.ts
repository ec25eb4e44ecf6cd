import { native, type Pointer } from './library.js';

/**
 * One reference to a GObject, given back exactly once: by disposing of it. A reference that a pending call needs is held by
 * the call itself ({@link NativeObject.whileHeld}), so disposing early is safe.
 */
export class NativeObject implements Disposable {
  readonly #what: string;
  #pointer: Pointer | undefined;

  /** Takes a reference over: (transfer full). `what` names it when it is used after disposal. */
  constructor(pointer: Pointer, what: string) {
    this.#pointer = pointer;
    this.#what = what;
  }

  /** Whether it was given back. */
  get isDisposed(): boolean {
    return this.#pointer === undefined;
  }

  /** Its address, for a call in this thread. */
  get pointer(): Pointer {
    if (this.#pointer === undefined) throw new Error(`${this.#what} is used after it was closed`);
    return this.#pointer;
  }

  /** Runs `body` with a reference of its own to the object. */
  async whileHeld<Result>(body: (pointer: Pointer) => Promise<Result>): Promise<Result> {
    const pointer = this.pointer;
    native().g_object_ref(pointer);
    try {
      return await body(pointer);
    } finally {
      native().g_object_unref(pointer);
    }
  }

  /** One more reference to the same object, of its own owner. */
  share(): NativeObject {
    native().g_object_ref(this.pointer);
    return new NativeObject(this.pointer, this.#what);
  }

  [Symbol.dispose](): void {
    if (this.#pointer !== undefined) native().g_object_unref(this.#pointer);
    this.#pointer = undefined;
  }
}
