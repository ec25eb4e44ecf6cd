import { JsonReader } from '../../base/json-reader.js';
import { parseStrictJson, type JsonValue } from '../../base/strict-json.js';
import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';

/** Largest `info` that is read: values and file names; published containers have 4 KiB. */
export const MAX_INFO_BYTES = 1024 * 1024;

/** Most host files of one container: the same as for images that berth installs. */
const MAX_FILES = 10_000;

/** What atomic noted of a container when it installed it (`Atomic/syscontainers.py`, `_write_info_file`). */
export interface ForerunnerInfo {
  /** As it was installed. */
  readonly image: string;
  /** The digest of the image without `sha256:`, or what atomic took for it. */
  readonly revision: string | undefined;
  readonly ostreeCommit: string | undefined;
  /** All values of the templates, atomic's own included. */
  readonly values: Readonly<Record<string, string>>;
  readonly hasService: boolean;
  /** SHA-256 of each host file as it was put there, hexadecimal; `0` for an empty folder. */
  readonly checksums: Readonly<Record<string, string>>;
  /** Host files without a checksum: older versions of atomic noted none. */
  readonly unchecked: readonly string[];
  /** Program of the runtime. */
  readonly runtime: string | undefined;
}

/**
 * Parses the `info` file of a container.
 *
 * @throws {@link OperationalError} JSON_INVALID, CONTAINER_STATE_INVALID, LIMIT_EXCEEDED; RUNTIME_UNSUPPORTED for a container
 * that is an RPM package, or whose root is elsewhere (`--remote`)
 */
export function parseForerunnerInfo(bytes: Uint8Array, what: string): ForerunnerInfo {
  const reader = new JsonReader(parseStrictJson(bytes, { what, maxDepth: 8 }), what);
  refuseOtherKinds(reader);
  const image = reader.member('image').string();
  if (image === '' || image.length > 1024 || /[\u0000-\u0020\u007f]/.test(image))
    throw damaged(what, `${quote(image)} is no image`);
  const checksums = reader.member('installed-files-checksum').stringMap();
  const listed = reader.member('installed-files');
  // Newer versions wrote the same object twice, older ones a list of names.
  const names =
    reader.member('installed-files-checksum').present || !listed.present ? [] : listed.strings();
  if (Object.keys(checksums).length + names.length > MAX_FILES) {
    throw new OperationalError('LIMIT_EXCEEDED', `${what} names more than ${MAX_FILES} files`);
  }
  for (const [path, checksum] of Object.entries(checksums)) {
    if (!/^(?:0|[0-9a-f]{64})$/.test(checksum))
      throw damaged(what, `the checksum of ${quote(path)} is none`);
  }
  const service = reader.member('has-container-service');
  return {
    image,
    revision: reader.member('revision').optionalString(),
    ostreeCommit: reader.member('ostree-commit').optionalString(),
    values: readValues(reader.member('values'), what),
    hasService: service.present ? service.boolean() : true,
    checksums,
    unchecked: names,
    runtime: reader.member('runtime').optionalString(),
  };
}

function refuseOtherKinds(reader: JsonReader): void {
  const rpm = reader.member('rpm-installed').optionalString();
  if (rpm !== undefined || reader.member('system-package').optionalString() === 'yes') {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `its files are those of an RPM package${rpm === undefined ? '' : ` (${quote(rpm)})`}, which berth does not take over`,
      { hint: "uninstall it with atomic, then install its image with 'berth install'" },
    );
  }
  const remote = reader.member('remote').optionalString();
  if (remote !== undefined) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `its root is that of ${quote(remote)} ('--remote'), which berth does not take over`,
      { hint: "uninstall it with atomic, then install it with 'berth install --rootfs'" },
    );
  }
}

/** Python wrote them as they came: HOST_UID is a number, a default of the image may be any scalar. */
function readValues(reader: JsonReader, what: string): Readonly<Record<string, string>> {
  if (!reader.present) return {};
  const entries = Object.entries(reader.object()).map(([key, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) throw damaged(what, `${quote(key)} is no variable`);
    return [key, scalarText(value, `${what}: the value of ${quote(key)}`)] as const;
  });
  return Object.fromEntries(entries);
}

function scalarText(value: JsonValue | undefined, what: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  // As Python's templates wrote them.
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  throw damaged(what, 'it is no text');
}

function damaged(what: string, why: string): OperationalError {
  return new OperationalError('CONTAINER_STATE_INVALID', `${what} is damaged: ${why}`);
}
