import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { checked, cString, loadKoffi, type NativeCall } from './libc.js';

/** What a policy of SELinux says of the files of a host; to be disposed of. */
export interface FileContexts extends Disposable {
  /** The context of something of that mode at an absolute path; undefined where the policy leaves it to others. */
  lookUp(path: string, mode: number): string | undefined;
}

/** `SELABEL_CTX_FILE` and `SELABEL_OPT_PATH` of selinux/label.h. */
const CTX_FILE = 0;
const OPT_PATH = 3;

/**
 * Opens a `file_contexts` with what belongs to it: local rules, those of homes, substitutions (selabel_file(5)). libselinux is
 * loaded here and not before.
 *
 * @throws {@link OperationalError} LIBRARY_MISSING; CONFIG_INVALID where libselinux does not take the file
 */
export function openFileContexts(path: string): FileContexts {
  const koffi = loadKoffi();
  const library = loadLibrary();
  const value = cString(Buffer.from(path, 'utf8').toString('latin1'));
  // struct selinux_opt { int type; const char *value; }
  const options = Buffer.alloc(16);
  options.writeInt32LE(OPT_PATH, 0);
  options.writeBigUInt64LE(koffi.address(value), 8);
  let handle: unknown = library.open(CTX_FILE, options, 1);
  if (handle === null) {
    throw new OperationalError(
      'CONFIG_INVALID',
      `libselinux cannot read the file contexts ${quote(path)}`,
      { hint: "'selabel_lookup -k / -b file' tells what is wrong with the policy" },
    );
  }
  return {
    lookUp: (file, mode) => {
      const found = Buffer.alloc(8);
      if (library.lookUp(handle, found, file, mode) < 0) {
        // Paths without a rule, and those of <<none>>.
        if (koffi.errno() === ENOENT) return undefined;
        checked(-1, 'selabel_lookup_raw', file);
      }
      const context = found.readBigUInt64LE(0);
      try {
        return koffi.decode.string(context);
      } finally {
        library.free(context);
      }
    },
    [Symbol.dispose]: () => {
      if (handle !== null) library.close(handle);
      handle = null;
    },
  };
}

const ENOENT = 2;

/** What is used of libselinux. */
interface Libselinux {
  readonly open: (backend: number, options: Buffer, count: number) => unknown;
  readonly lookUp: NativeCall;
  readonly free: (context: bigint) => void;
  readonly close: (handle: unknown) => void;
}

let loaded: Libselinux | undefined;

function loadLibrary(): Libselinux {
  return (loaded ??= bindLibrary());
}

/** `SELINUX_CB_LOG`. */
const CB_LOG = 0;

function bindLibrary(): Libselinux {
  const koffi = loadKoffi();
  let library;
  try {
    library = koffi.load('libselinux.so.1');
  } catch (cause) {
    throw new OperationalError(
      'LIBRARY_MISSING',
      'libselinux, which knows the SELinux labels of files, is not installed',
      { hint: 'dnf install libselinux (or apt install libselinux1)', cause },
    );
  }
  // By default it writes on standard error, also of what it does next: of a compiled file of another version it takes the text.
  // Any function that does nothing will do.
  const silence = koffi.load(null).symbol('abs') as unknown;
  library.func('void selinux_set_callback(int type, void *func)')(CB_LOG, silence);
  return {
    open: library.func('void *selabel_open(unsigned int backend, void *opts, unsigned int nopts)'),
    lookUp: library.func(
      'int selabel_lookup_raw(void *handle, void *con, const char *key, int type)',
    ),
    free: library.func('void freecon(void *con)'),
    close: library.func('void selabel_close(void *handle)'),
  };
}
