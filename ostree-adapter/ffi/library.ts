import { createRequire } from 'node:module';

import type { address, config, decode, load, LibraryHandle } from 'koffi';

import { OstreeLibraryError } from '../errors.js';
import {
  numberPrototypes,
  pointerPrototypes,
  voidPrototypes,
  type LibraryName,
  type Prototype,
  type Prototypes,
} from './prototypes.js';
import { quietGlib } from './quiet-glib.js';

/*
 * libostree and what it stands on, loaded on the first call and never on import. All functions that are always needed are
 * bound at once, so that a library which lacks one is refused before anything was done with it.
 */

/** The address of something native. 0 is never passed as one: it is `null`. */
export type Pointer = bigint;

/** `sizeof (void *)`. */
export const POINTER_BYTES = ['arm', 'ia32', 'mips', 'mipsel'].includes(process.arch) ? 4 : 8;

/** What a native function takes: numbers, addresses, bytes to read or to write, or NULL. */
export type NativeArgument = number | bigint | Uint8Array | BigUint64Array | null;

/** A bound function. `async` runs it in another thread; all bytes that it was given have to be held until then. */
export interface NativeFunction<Result> {
  (...args: readonly NativeArgument[]): Result;
  async(...args: readonly unknown[]): void;
}

type Bound<Table, Result> = { readonly [name in keyof Table]: NativeFunction<Result> };

/** The functions that every supported libostree has. */
export type Functions = Bound<typeof pointerPrototypes, Pointer | null> &
  Bound<typeof numberPrototypes, number> &
  Bound<typeof voidPrototypes, undefined>;

/** The loaded libraries. */
export interface Library {
  readonly call: Functions;
  /** The UTF-8 string at an address. */
  readonly decodeString: (address: Pointer) => string;
  /** Where the bytes of a buffer are. They do not move; whoever uses the address holds the buffer. */
  readonly address: (bytes: Uint8Array) => Pointer;
  /** A function that only some versions have; undefined where it is missing. */
  find(prototype: Prototype): NativeFunction<unknown> | undefined;
}

/** What is used of koffi. */
interface Koffi {
  readonly load: typeof load;
  readonly decode: typeof decode;
  readonly address: typeof address;
  readonly config: typeof config;
}

/** Oldest libostree that the prototypes hold for: ostree_repo_write_regfile_inline and ostree_sign. */
const MIN_YEAR = 2021;
const MIN_RELEASE = 1;

const FILES: Readonly<Record<Exclude<LibraryName, 'ostree' | 'c'>, string>> = {
  glib: 'libglib-2.0.so.0',
  gobject: 'libgobject-2.0.so.0',
  gio: 'libgio-2.0.so.0',
};

/**
 * Node exports the OpenSSL, zlib and zstd that are built into it, in other versions than the host's: libostree and what it loads
 * shall find their own first (RTLD_DEEPBIND).
 */
const AS_ITSELF = { deep: true };

let loaded: Library | undefined;
let loadedFrom: string | undefined;

/**
 * Where libostree is loaded from, by {@link loadLibrary}. `OSTREE_ADAPTER_LIBRARY` of the environment stands in front of the
 * system's own.
 */
function libraryPath(): string {
  return process.env['OSTREE_ADAPTER_LIBRARY'] ?? 'libostree-1.so.1';
}

/**
 * The libraries, loaded once.
 *
 * @throws {@link OstreeLibraryError}
 */
export function loadLibrary(): Library {
  const path = libraryPath();
  if (loaded === undefined || loadedFrom !== path) {
    loaded = bindLibrary(path);
    loadedFrom = path;
  }
  return loaded;
}

/** The functions of {@link loadLibrary}. */
export function native(): Functions {
  return (loaded ?? loadLibrary()).call;
}

/** Where the bytes of a buffer are. */
export function addressOf(bytes: Uint8Array): Pointer {
  return (loaded ?? loadLibrary()).address(bytes);
}

/**
 * The stack that a call in another thread should get: all that koffi gives. Its own 128 KiB are not enough for libostree,
 * which calls itself for each level of a tree. Only what is used is ever there.
 */
const ASYNC_STACK_BYTES = 16 * 1024 * 1024;

/** What {@link asyncStackBytes} gives. */
let stackBytes: number | undefined;

/** The stack of calls in other threads, in bytes: less than wanted if somebody else loaded a library through koffi before. */
export function asyncStackBytes(): number {
  loadLibrary();
  return stackBytes ?? 0;
}

/** koffi is one for the whole process, and its stacks are set for good when the first library is loaded. */
function setStack(koffi: Koffi): number {
  try {
    koffi.config({ async_stack_size: ASYNC_STACK_BYTES });
  } catch {
    // Somebody was first: what he set is looked at instead.
  }
  return koffi.config().async_stack_size ?? 0;
}

function bindLibrary(path: string): Library {
  const koffi = loadKoffi();
  stackBytes ??= setStack(koffi);
  const handles: Record<LibraryName, LibraryHandle> = {
    ostree: open(koffi, path),
    glib: open(koffi, FILES.glib),
    gobject: open(koffi, FILES.gobject),
    gio: open(koffi, FILES.gio),
    c: koffi.load(null),
  };
  const check = bind<number>(handles, numberPrototypes.ostree_check_version);
  if (check(MIN_YEAR, MIN_RELEASE) === 0) {
    throw new OstreeLibraryError(
      'too-old',
      `${path} is older than libostree ${MIN_YEAR}.${MIN_RELEASE}`,
    );
  }
  const call: Record<string, NativeFunction<unknown>> = {};
  const tables: readonly Prototypes[] = [pointerPrototypes, numberPrototypes, voidPrototypes];
  for (const table of tables) {
    for (const [name, prototype] of Object.entries(table)) call[name] = bind(handles, prototype);
  }
  const functions = call as unknown as Functions;
  quietGlib(functions, handles.glib.symbol('g_mem_is_system_malloc') as Pointer);
  return {
    call: functions,
    decodeString: (from) => koffi.decode.string(from),
    address: (bytes) => koffi.address(bytes),
    find: ([library, prototype]) => {
      try {
        return handles[library].func(prototype) as NativeFunction<unknown>;
      } catch {
        // koffi has no other way to ask whether a symbol is there.
        return undefined;
      }
    },
  };
}

function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new OstreeLibraryError(
      'missing',
      'koffi, which libostree is called through, is missing',
      {
        cause,
      },
    );
  }
}

function open(koffi: Koffi, path: string): LibraryHandle {
  try {
    return koffi.load(path, AS_ITSELF);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const missing = reason.includes('cannot open shared object file: No such file');
    throw new OstreeLibraryError(
      missing ? 'missing' : 'broken',
      missing ? `${path} is not installed` : `${path} cannot be loaded: ${reason}`,
      { cause },
    );
  }
}

function bind<Result>(
  handles: Readonly<Record<LibraryName, LibraryHandle>>,
  [library, prototype]: Prototype,
): NativeFunction<Result> {
  try {
    return handles[library].func(prototype) as NativeFunction<Result>;
  } catch (cause) {
    const name = /(\w+)\(/.exec(prototype)?.[1] ?? prototype;
    throw new OstreeLibraryError('broken', `the ${library} library has no function ${name}`, {
      cause,
    });
  }
}
