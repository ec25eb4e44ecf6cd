import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { DirectoryNode, TreeNode } from '../layer/tree.js';
import type { ImageTree } from '../store/image-store.js';
import { ACTIVATOR_TYPES, type ActivatorType } from '../systemd/check-activation.js';
import {
  EMPTY_EXPORTS_MANIFEST,
  parseExportsManifest,
  type ExportsManifest,
} from '../templates/exports-manifest.js';
import { parseTemplate } from '../templates/parse-template.js';
import type { Template } from '../templates/template.js';

/** Largest file of /exports that is read; the parsers have smaller limits of their own. */
const MAX_EXPORT_BYTES = 4 * 1024 * 1024;

/** What an image brings in `/exports` (DESIGN: "What an image brings"). */
export interface Exports {
  /** Whether the image has the folder at all; without it, everything comes from unit-templates/. */
  readonly present: boolean;
  readonly manifest: ExportsManifest;
  readonly service: Template | undefined;
  /** Units that start the service: NAME.socket, NAME.timer, NAME.path. */
  readonly activators: ReadonlyMap<ActivatorType, Template>;
  readonly config: ExportedConfig | undefined;
  readonly tmpfiles: Template | undefined;
  readonly hostfs: DirectoryNode | undefined;
  /** Templates that nothing is made of, by name: of mounts, say, or misspelt. */
  readonly unknownTemplates: readonly string[];
}

/** `config.json` in one of its three spellings. */
export type ExportedConfig =
  | { readonly kind: 'template'; readonly template: Template }
  | { readonly kind: 'plain'; readonly bytes: Buffer };

/**
 * Reads `/exports` from the tree of an image. Nothing is opened by path and no link is followed: a template that is a
 * link, a FIFO or a device is refused, wherever it points.
 *
 * @throws {@link OperationalError} EXPORTS_INVALID, TEMPLATE_INVALID, LIMIT_EXCEEDED
 */
export async function loadExports(tree: ImageTree): Promise<Exports> {
  const folder = findFolder(tree.root.entries.get('exports'), '/exports');
  if (folder === undefined) {
    return {
      present: false,
      manifest: EMPTY_EXPORTS_MANIFEST,
      service: undefined,
      activators: new Map(),
      config: undefined,
      tmpfiles: undefined,
      hostfs: undefined,
      unknownTemplates: [],
    };
  }
  const read = (name: string): Promise<Buffer | undefined> => readExport(tree, folder, name);
  const manifest = await read('manifest.json');
  return {
    present: true,
    manifest: manifest === undefined ? EMPTY_EXPORTS_MANIFEST : parseExportsManifest(manifest),
    service: await loadTemplate(read, ['service.hbs', 'service.template']),
    activators: await loadActivators(read),
    config: await loadConfig(read),
    tmpfiles: await loadTemplate(read, ['tmpfiles.hbs', 'tmpfiles.template']),
    hostfs: findFolder(folder.entries.get('hostfs'), '/exports/hostfs'),
    unknownTemplates: [...folder.entries.keys()].filter(
      (entry) => /\.(?:template|hbs)$/.test(entry) && !TEMPLATES.has(entry),
    ),
  };
}

const TEMPLATES: ReadonlySet<string> = new Set(
  ['service', ...ACTIVATOR_TYPES, 'config.json', 'tmpfiles'].flatMap((of) => [
    `${of}.hbs`,
    `${of}.template`,
  ]),
);

type Read = (name: string) => Promise<Buffer | undefined>;

/** The first of the names that is there: Handlebars wins over the older dialect. */
async function loadTemplate(read: Read, names: readonly string[]): Promise<Template | undefined> {
  for (const name of names) {
    const content = await read(name);
    if (content !== undefined) return parseTemplate(name, content);
  }
  return undefined;
}

async function loadActivators(read: Read): Promise<ReadonlyMap<ActivatorType, Template>> {
  const found = new Map<ActivatorType, Template>();
  for (const type of ACTIVATOR_TYPES) {
    const template = await loadTemplate(read, [`${type}.hbs`, `${type}.template`]);
    if (template !== undefined) found.set(type, template);
  }
  return found;
}

async function loadConfig(read: Read): Promise<ExportedConfig | undefined> {
  const template = await loadTemplate(read, ['config.json.hbs', 'config.json.template']);
  if (template !== undefined) return { kind: 'template', template };
  const bytes = await read('config.json');
  return bytes === undefined ? undefined : { kind: 'plain', bytes };
}

function findFolder(node: TreeNode | undefined, path: string): DirectoryNode | undefined {
  if (node === undefined || node.kind === 'directory') return node;
  throw new OperationalError(
    'EXPORTS_INVALID',
    `${quote(path)} of the image is a ${node.kind}, expected a folder`,
  );
}

async function readExport(
  tree: ImageTree,
  folder: DirectoryNode,
  name: string,
): Promise<Buffer | undefined> {
  const node = folder.entries.get(name);
  if (node === undefined) return undefined;
  if (node.kind !== 'file') {
    throw new OperationalError(
      'EXPORTS_INVALID',
      `${quote(`/exports/${name}`)} of the image is a ${node.kind}, expected a regular file`,
    );
  }
  return tree.readFile(node, { maxBytes: MAX_EXPORT_BYTES });
}
