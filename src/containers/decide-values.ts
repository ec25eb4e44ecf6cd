import { isTemplateName, type ContainerName } from '../base/container-name.js';
import { ownProgram } from '../base/own-files.js';
import type { DirectoryNode, TreeNode } from '../layer/tree.js';
import { decodeByteString } from '../layer/tree.js';
import { digestHex } from '../oci/digest.js';
import { CAPABILITIES } from '../runtime/capabilities.js';
import { CREDENTIALS_PATH } from '../runtime/host-directory.js';
import type { ChosenRuntime } from './choose-runtime.js';
import {
  findRenameVariables,
  renameHostPath,
  renderRenameFiles,
} from '../templates/render-text.js';
import {
  resolveValues,
  type ResolvedValues,
  type ResolveValuesInput,
} from '../templates/resolve-values.js';
import { parseStringTemplate } from '../templates/string-template.js';
import type { FetchedImage } from './fetch-image.js';
import type { Host } from './host.js';
import type { EffectiveExports } from './effective-exports.js';
import type { Exports } from './load-exports.js';

/** What {@link decideValues} decides with. */
export interface DecideValuesRequest {
  readonly name: ContainerName;
  readonly fetched: FetchedImage;
  readonly exports: Pick<Exports, 'hostfs'>;
  readonly effective: EffectiveExports;
  readonly chosen: ChosenRuntime;
  readonly destdir: string;
  readonly uuid: string;
  readonly setValues: ReadonlyMap<string, string>;
  readonly fileValues: ReadonlyMap<string, string>;
  /** Secrets of the deployment before. */
  readonly keptSecrets: ReadonlyMap<string, string>;
}

/**
 * Decides the value of every variable that the templates of an image use, those of its host files included.
 *
 * @throws OperationalError VARIABLE_MISSING naming all that have none
 */
export async function decideValues(
  host: Host,
  request: DecideValuesRequest,
): Promise<ResolvedValues> {
  const { effective } = request;
  const used = new Set([...effective.variables, ...findRenameVariables(effective.manifest)]);
  const input = inputOf(host, request);
  // First all that is known to be needed, so that all that is wrong with it is said at once.
  resolveValues({ ...input, used: [...used] });
  for (const name of await hostTemplateVariables(request, input)) used.add(name);
  return resolveValues({ ...input, used: [...used] });
}

function inputOf(host: Host, request: DecideValuesRequest): Omit<ResolveValuesInput, 'used'> {
  const { name, fetched, effective, chosen, destdir, uuid } = request;
  return {
    name,
    directories: host.paths.templateDirectories,
    user: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
    destdir,
    image: { id: digestHex(fetched.digest), name: fetched.storeName },
    exec: chosen.exec,
    program: ownProgram(),
    runtime: chosen.runtime.name,
    capabilities: CAPABILITIES,
    uuid,
    manifest: effective.manifest,
    // Decided where it is rendered, because each file has its own form of it.
    rendered: isTemplateName(name) ? ['INSTANCE'] : [],
    fileValues: request.fileValues,
    keptSecrets: request.keptSecrets,
    credentialsPath: CREDENTIALS_PATH,
    setValues: request.setValues,
  };
}

/** Largest host file that may be a template. */
const MAX_TEMPLATE_BYTES = 1024 * 1024;

/**
 * Which files of hostfs/ are templates is said by their names on the host, which depend on values themselves. Where a
 * value for a name is missing, that is what the user is told first.
 */
async function hostTemplateVariables(
  request: DecideValuesRequest,
  input: Omit<ResolveValuesInput, 'used'>,
): Promise<readonly string[]> {
  const { fetched } = request;
  const { manifest } = request.effective;
  const { hostfs } = request.exports;
  if (hostfs === undefined || manifest.installedFilesTemplate.length === 0) return [];
  const { values } = resolveValues({ ...input, used: findRenameVariables(manifest) });
  const renames = renderRenameFiles(manifest, values);
  const templates = new Set(manifest.installedFilesTemplate);
  const variables: string[] = [];
  for (const [path, node] of filesBelow(hostfs)) {
    const target = renameHostPath(path, renames);
    if (node.kind !== 'file' || !templates.has(target)) continue;
    const content = await fetched.tree.readFile(node, { maxBytes: MAX_TEMPLATE_BYTES });
    variables.push(...parseStringTemplate(target, content.toString('utf8')).variables);
  }
  return variables;
}

function* filesBelow(folder: DirectoryNode, path = ''): Generator<[string, TreeNode]> {
  for (const [name, node] of folder.entries) {
    const at = `${path}/${decodeByteString(name)}`;
    if (node.kind === 'directory') yield* filesBelow(node, at);
    else yield [at, node];
  }
}
