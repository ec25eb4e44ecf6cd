import { normalize } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import {
  decodeByteString,
  type DirectoryNode,
  type FileNode,
  type TreeNode,
} from '../layer/tree.js';
import { renameHostPath } from '../templates/render-text.js';
import type { DeployedFile } from './deployment.js';
import { compareFile, sha256Of } from './file-state.js';
import { assertHostPathAllowed, type HostPathPolicy } from './host-path-policy.js';
import { assertNotLedElsewhere } from './led-elsewhere.js';
import { findMissingParents } from './safe-parents.js';
import { assertUserCanMake } from './users-places.js';

/** Most files that one image may bring for the host: published images bring fewer than ten. */
const MAX_HOST_FILES = 10_000;

/** Most bytes that one image may bring for the host. A kubectl with its friends has 200 MB. */
const MAX_HOST_BYTES = 2 * 1024 * 1024 * 1024;

/** Deepest folder below hostfs/; the recursion has to end before the stack does. */
const MAX_DEPTH = 64;

/** A file that an image brings for the host. */
export interface PlannedHostFile {
  readonly deployed: DeployedFile;
  /** New text for the deployment, for files rendered from a template; undefined for verbatim copies. */
  readonly text: string | undefined;
  readonly sizeBytes: number;
  /** Text of a verbatim copy that a plan shows against what stands there. */
  readonly shownText?: string | undefined;
}

/** What is needed to plan the host files of an image. */
export interface HostFilesRequest {
  readonly paths: HostPaths;
  /** `/exports/hostfs` of the image. */
  readonly hostfs: DirectoryNode;
  /** Renames with their variables filled in; keys and values are absolute host paths. */
  readonly renames: ReadonlyMap<string, string>;
  /** Host paths (after renaming) whose content is a template. */
  readonly templates: ReadonlySet<string>;
  renderTemplate(path: string, text: string): string;
  readFile(node: FileNode, maxBytes: number): Promise<Buffer>;
  readonly policy: HostPathPolicy;
  /** What to do about a different file that stands there: refuse, leave it, or only show it (`--plan`). */
  readonly onConflict: 'refuse' | 'keep' | 'show';
  /** The other container that owns a path, if one does. */
  ownerOf(path: string): string | undefined;
  /** Paths that this container put there before, and those that it found there (`foreignPaths` of a deployment). */
  readonly own: ReadonlySet<string>;
  readonly foreign: ReadonlySet<string>;
}

/** The plan of the host files. */
export interface HostFilesPlan {
  /** Folders before what is in them. */
  readonly files: readonly PlannedHostFile[];
  /** See `foreignPaths` of a deployment. */
  readonly foreign: readonly string[];
  readonly warnings: readonly string[];
}

/** Largest host file that is rendered as a template. */
const MAX_TEMPLATE_BYTES = 1024 * 1024;

/**
 * Decides, before anything is copied, what goes where: the whole of hostfs/ is renamed, checked against the policy, for
 * two sources of one target and for what stands on the host.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED, HOST_FILE_EXISTS, EXPORTS_INVALID, LIMIT_EXCEEDED
 */
export async function planHostFiles(request: HostFilesRequest): Promise<HostFilesPlan> {
  const wanted = collect(request);
  const planned: PlannedHostFile[] = [];
  const warnings: string[] = [];
  const foreign: string[] = [];
  const folders = new Set<string>();
  const isOurs = (folder: string): boolean =>
    request.own.has(folder) || request.ownerOf(folder) !== undefined;
  for (const { path, source, node } of wanted) {
    for (const folder of await findMissingParents(request.paths, path, isOurs)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      planned.push(plannedFolder(folder, 0o755));
    }
    // What stood there before stays where it is.
    if (!request.own.has(path)) assertNotLedElsewhere(request.paths, path, request.policy);
    const file = await planOne(request, { path, source, node });
    if (file === undefined || folders.has(path)) continue;
    if (file.deployed.kind === 'directory') folders.add(path);
    const state = await compareFile(request.paths.onDisk(path), file.deployed);
    const owner = request.ownerOf(path);
    const isShared = state === 'same' && owner !== undefined;
    const isReplaced = owner === undefined && request.own.has(path);
    if (state === 'missing' || isShared || isReplaced) planned.push(file);
    else if (state === 'changed') {
      warnings.push(refuseOrKeep(request, path, owner));
      if (request.onConflict === 'show') planned.push(await withShownText(request, file, node));
      foreign.push(path);
      // The same file that is not ours: the host had it before, and keeps it after.
    } else if (file.deployed.kind !== 'directory') foreign.push(path);
  }
  return { files: planned, foreign, warnings };
}

interface WantedFile {
  readonly path: string;
  /** Relative to the deployment. */
  readonly source: string;
  readonly node: TreeNode;
}

/** Walks hostfs/ and names the target of everything in it. */
function collect(request: HostFilesRequest): WantedFile[] {
  const wanted: WantedFile[] = [];
  const targets = new Map<string, string>();
  let bytes = 0;
  const visit = (folder: DirectoryNode, from: string, depth: number): void => {
    if (depth > MAX_DEPTH)
      throw new OperationalError('LIMIT_EXCEEDED', 'hostfs/ is nested too deep');
    for (const [name, node] of folder.entries) {
      const source = `${from}/${decodeName(name)}`;
      const path = renameHostPath(source, request.renames);
      if (node.kind === 'directory') visit(node, source, depth + 1);
      if (node.kind === 'directory' && node.entries.size > 0) continue;
      assertHostPathAllowed(path, request.policy);
      assertUserCanMake(request.paths, path, 'the image brings');
      const other = targets.get(path);
      if (other !== undefined) {
        throw new OperationalError(
          'EXPORTS_INVALID',
          `${quote(other)} and ${quote(source)} of hostfs/ both want to be ${quote(path)}`,
        );
      }
      targets.set(path, source);
      bytes += node.kind === 'file' ? node.size : 0;
      wanted.push({ path, source: `rootfs/exports/hostfs${source}`, node });
      if (wanted.length > MAX_HOST_FILES || bytes > MAX_HOST_BYTES) {
        throw new OperationalError(
          'LIMIT_EXCEEDED',
          `hostfs/ has more than ${MAX_HOST_FILES} files or ${MAX_HOST_BYTES} bytes, refusing`,
        );
      }
    }
  };
  visit(request.hostfs, '', 0);
  assertNoFileBelowFile(targets, wanted);
  return wanted.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A rename can turn one file's target into another's folder; found before anything is copied. */
function assertNoFileBelowFile(
  targets: ReadonlyMap<string, string>,
  wanted: readonly WantedFile[],
): void {
  for (const { path } of wanted) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const folder = path.slice(0, slash);
      if (targets.has(folder)) {
        throw new OperationalError(
          'EXPORTS_INVALID',
          `${quote(path)} of hostfs/ lies below the file ${quote(folder)}`,
        );
      }
    }
  }
}

async function planOne(
  request: HostFilesRequest,
  wanted: WantedFile,
): Promise<PlannedHostFile | undefined> {
  const { path, source, node } = wanted;
  const base = { role: 'host-file', path } as const;
  switch (node.kind) {
    case 'directory':
      return plannedFolder(path, safeMode(node.meta.mode));
    case 'symlink': {
      const target = decodeName(node.target);
      const resolved = normalize(
        target.startsWith('/') ? target : `${path.slice(0, path.lastIndexOf('/'))}/${target}`,
      );
      assertHostPathAllowed(resolved, request.policy);
      return {
        deployed: { ...base, kind: 'symlink', sha256: sha256Of(target), mode: 0o777, source },
        text: undefined,
        sizeBytes: 0,
      };
    }
    case 'file': {
      const mode = safeMode(node.meta.mode);
      if (!request.templates.has(path)) {
        return {
          deployed: { ...base, kind: 'file', sha256: node.contentSha256, mode, source },
          text: undefined,
          sizeBytes: node.size,
        };
      }
      const template = await request.readFile(node, MAX_TEMPLATE_BYTES);
      const text = request.renderTemplate(path, template.toString('utf8'));
      return {
        deployed: { ...base, kind: 'file', sha256: sha256Of(text), mode, source: `host${path}` },
        text,
        sizeBytes: Buffer.byteLength(text),
      };
    }
    case 'character-device':
    case 'block-device':
    case 'fifo':
      throw new OperationalError(
        'EXPORTS_INVALID',
        `${quote(source)} is a ${node.kind}, refusing to put it on the host`,
      );
  }
}

/** Largest file that is shown as text. */
const MAX_SHOWN_BYTES = 256 * 1024;

async function withShownText(
  request: HostFilesRequest,
  file: PlannedHostFile,
  node: TreeNode,
): Promise<PlannedHostFile> {
  if (file.text !== undefined || node.kind !== 'file' || node.size > MAX_SHOWN_BYTES) return file;
  const content = await request.readFile(node, MAX_SHOWN_BYTES);
  return content.includes(0) ? file : { ...file, shownText: content.toString('utf8') };
}

/** A folder that is made on the way to a file, or empty in hostfs/. */
export function plannedFolder(path: string, mode: number): PlannedHostFile {
  return {
    deployed: { role: 'host-file', path, kind: 'directory', sha256: '', mode, source: '' },
    text: undefined,
    sizeBytes: 0,
  };
}

/** Set-id bits and writing by everybody are not for an image to hand out on the host. */
function safeMode(mode: number): number {
  return mode & 0o775;
}

function refuseOrKeep(request: HostFilesRequest, path: string, owner: string | undefined): string {
  if (request.onConflict === 'keep' || request.foreign.has(path)) {
    return `${quote(path)} is there already and differs from the image's, keeping it`;
  }
  if (request.onConflict === 'show') {
    return `${quote(path)} is there already and differs from the image's: the installation would be refused`;
  }
  throw new OperationalError(
    'HOST_FILE_EXISTS',
    owner === undefined
      ? `${quote(path)} is there already and differs from the image's, refusing to overwrite it`
      : `${quote(path)} belongs to the container ${quote(owner)} and differs, refusing to overwrite it`,
    { hint: "move it away, or keep it with '--keep-existing'" },
  );
}

/** A name that will be a path of the host: text, so that it can be shown, recorded and removed again. */
function decodeName(bytes: string): string {
  const text = decodeByteString(bytes);
  if (text.includes('\ufffd') || /[\u0000-\u001f\u007f]/.test(text)) {
    throw new OperationalError(
      'EXPORTS_INVALID',
      `the name ${quote(text)} in hostfs/ is not plain UTF-8 text`,
    );
  }
  return text;
}
