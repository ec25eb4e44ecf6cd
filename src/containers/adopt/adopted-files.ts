import type { Stats } from 'node:fs';
import { join } from 'node:path/posix';

import { quote } from '../../base/escape-text.js';
import { readFileBounded } from '../../base/bounded-read.js';
import type { ContainerName } from '../../base/container-name.js';
import { lstat } from '../../base/quick-files.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { DeployedFile } from '../deployment.js';
import { sha256Of, sha256OfFile } from '../file-state.js';
import type { Host } from '../host.js';
import { assertHostPathAllowed } from '../host-path-policy.js';
import type { PreparedContent } from '../prepared-deployment.js';
import { readForerunnerFile } from './forerunner-files.js';
import type { ForerunnerInfo } from './forerunner-info.js';

/** Largest unit or tmpfiles text that is read. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** Most bytes of host files that are copied into the record, so that going back to it can put them back. */
const MAX_COPIED_BYTES = 256 * 1024 * 1024;

/** Where images that atomic installed bring programs to; what else is guarded is not believed to be theirs. */
const PROGRAM_DIRECTORIES = ['/usr/bin', '/usr/sbin', '/usr/lib', '/usr/libexec', '/usr/lib64'];

/** What of a container of atomic's is on the host. */
export interface AdoptedFiles {
  readonly files: readonly DeployedFile[];
  /** Copies for the record, by their place in it. */
  readonly contents: ReadonlyMap<string, PreparedContent>;
  readonly warnings: readonly string[];
}

interface FilesRequest {
  readonly name: ContainerName;
  /** The deployment of atomic's. */
  readonly directory: string;
  readonly info: ForerunnerInfo;
}

/**
 * Finds unit, tmpfiles lines and host files of a container of atomic's. Each is recorded as atomic put it there: where it
 * was changed since, that counts as the administrator's change.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if the unit is not there
 */
export async function findAdoptedFiles(host: Host, request: FilesRequest): Promise<AdoptedFiles> {
  const { name, directory, info } = request;
  const files: DeployedFile[] = [];
  const contents = new Map<string, PreparedContent>();
  const warnings: string[] = [];
  const texts = [
    { role: 'unit', path: join(host.paths.unitDir, `${name}.service`), copy: `${name}.service` },
    {
      role: 'tmpfiles',
      path: join(host.paths.tmpfilesDir, `${name}.conf`),
      copy: `tmpfiles-${name}.conf`,
    },
  ] as const;
  for (const { role, path, copy } of texts) {
    if (role === 'unit' && !info.hasService) continue;
    const status = await statOf(host.paths.onDisk(path));
    if (role === 'unit' && status?.isFile() !== true) {
      throw new OperationalError(
        'CONTAINER_STATE_INVALID',
        `its unit ${quote(path)} is not there as a file`,
        { hint: "'atomic uninstall' and 'berth install' start anew" },
      );
    }
    const text =
      (await readForerunnerFile(host.paths, join(directory, copy), MAX_TEXT_BYTES)) ??
      (status?.isFile() === true
        ? await readFileBounded(host.paths.onDisk(path), { maxBytes: MAX_TEXT_BYTES })
        : undefined);
    if (text === undefined) continue;
    const mode = status === undefined ? 0o644 : status.mode & 0o7777;
    files.push({ role, path, kind: 'file', sha256: sha256Of(text), mode, source: copy });
    contents.set(copy, { content: text });
  }
  let left = MAX_COPIED_BYTES;
  for (const [path, checksum] of Object.entries(info.checksums).sort()) {
    const found = await findHostFile(host, { path, checksum, left });
    if (typeof found === 'string') {
      warnings.push(found);
      continue;
    }
    files.push(found.file);
    if (found.content === undefined) continue;
    left -= found.content.length;
    contents.set(found.file.source, { content: found.content });
  }
  warnings.push(
    ...info.unchecked.map(
      (path) => `${quote(path)} stays as it is: atomic noted no checksum of it`,
    ),
  );
  return { files, contents, warnings };
}

/** A host file with its content, if that is as atomic put it there; a sentence where it is not taken over. */
async function findHostFile(
  host: Host,
  { path, checksum, left }: { path: string; checksum: string; left: number },
): Promise<{ file: DeployedFile; content: Buffer | undefined } | string> {
  try {
    assertHostPathAllowed(path, { allowed: PROGRAM_DIRECTORIES });
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return `${quote(path)} stays as it is: atomic says it installed it, but it is a guarded place`;
  }
  const onDisk = host.paths.onDisk(path);
  const status = await statOf(onDisk);
  const mode = status === undefined ? 0o644 : status.mode & 0o7777;
  const common = { role: 'host-file', path, mode } as const;
  if (checksum === '0') {
    return status?.isDirectory() === true
      ? { file: { ...common, kind: 'directory', sha256: '', source: '' }, content: undefined }
      : `${quote(path)} stays as it is: it was a folder, or a link to nothing`;
  }
  if (status?.isSymbolicLink() === true)
    return `${quote(path)} stays as it is: atomic noted what is behind the link, not the link`;
  const source = `hostfs${path}`;
  const file: DeployedFile = { ...common, kind: 'file', sha256: checksum, source };
  const isCopied =
    status?.isFile() === true && status.size <= left && (await sha256OfFile(onDisk)) === checksum;
  return {
    file,
    content: isCopied ? await readFileBounded(onDisk, { maxBytes: left }) : undefined,
  };
}

async function statOf(pathOnDisk: string): Promise<Stats | undefined> {
  try {
    return await lstat(pathOnDisk);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
