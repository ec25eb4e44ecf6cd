import type { ContainerName } from '../base/container-name.js';
import type { Values } from '../templates/values.js';
import type { Deployment } from './deployment.js';
import type { FetchedImage } from './fetch-image.js';
import type { Host } from './host.js';
import type { Exports } from './load-exports.js';
import { planWithOwners } from './path-owners.js';
import { planHostFiles } from './plan-host-files.js';
import { hostPathPolicy } from './users-places.js';

/** Whose files are planned, and what may be done for them. */
export interface ExportedFilesRequest {
  readonly name: ContainerName;
  readonly fetched: FetchedImage;
  /** The deployment that is there already: what is its own on the host may be replaced. */
  readonly installed: Deployment | undefined;
  readonly allowHostPaths: readonly string[];
  readonly keepExisting: boolean;
  readonly planOnly: boolean;
}

/**
 * Plans what an image brings for the host, by its names and texts with their variables filled in.
 *
 * @throws OperationalError as {@link planHostFiles} does, and as rendering does
 */
export async function planExportedFiles(
  host: Host,
  from: {
    readonly request: ExportedFilesRequest;
    readonly exports: Exports;
    readonly values: Values;
  },
): ReturnType<typeof planHostFiles> {
  const { request, exports, values } = from;
  if (exports.hostfs === undefined) return { files: [], foreign: [], warnings: [] };
  const { renderRenameFiles, renderHostFile } = await import('../templates/render-text.js');
  const { parseStringTemplate } = await import('../templates/string-template.js');
  const { hostfs } = exports;
  return planWithOwners(host, request.name, (ownerOf) =>
    planHostFiles({
      paths: host.paths,
      hostfs,
      renames: renderRenameFiles(exports.manifest, values),
      templates: new Set(exports.manifest.installedFilesTemplate),
      renderTemplate: (path, text) => renderHostFile(parseStringTemplate(path, text), values),
      readFile: (node, maxBytes) => request.fetched.tree.readFile(node, { maxBytes }),
      policy: hostPathPolicy(host.paths, { name: request.name, allowed: request.allowHostPaths }),
      onConflict: whatOnConflict(request),
      ownerOf,
      own: ownPaths(request),
      foreign: new Set(request.installed?.foreignPaths),
    }),
  );
}

/** What a deployment has on the host. */
export function ownPaths({
  installed,
}: Pick<ExportedFilesRequest, 'installed'>): ReadonlySet<string> {
  return new Set(installed?.files.map(({ path }) => path));
}

function whatOnConflict(request: ExportedFilesRequest): 'keep' | 'show' | 'refuse' {
  if (request.keepExisting) return 'keep';
  return request.planOnly ? 'show' : 'refuse';
}
