import { DROP_IN_NAME } from '../systemd/drop-in.js';
import type { PlannedHostFile } from './plan-host-files.js';
import { activatorDropIn, dropInText } from './plan-unit-files.js';
import type { PreparedContent } from './prepared-deployment.js';
import type { RenderedContainer } from './render-container.js';
import { secretFile } from './secrets.js';

/** The files that are written into the directory of a deployment, by relative path. */
export function collectContents(
  name: string,
  from: {
    readonly rendered: RenderedContainer | undefined;
    readonly files: readonly PlannedHostFile[];
    readonly secrets: ReadonlyMap<string, string>;
  },
): ReadonlyMap<string, PreparedContent> {
  const contents = new Map<string, PreparedContent>();
  const { rendered } = from;
  for (const [variable, content] of from.secrets) contents.set(secretFile(variable), { content });
  if (rendered !== undefined) {
    contents.set('config.json', { content: rendered.config, mtimeMs: rendered.configMtimeMs });
    for (const { name: file, content } of rendered.runtimeFiles) contents.set(file, { content });
    contents.set(`${name}.service`, { content: rendered.unit });
    contents.set(DROP_IN_NAME, { content: dropInText(rendered) });
    for (const activator of rendered.activators) {
      contents.set(activator.unit, { content: activator.text });
      contents.set(activatorDropIn(activator.unit), { content: dropInText(activator) });
    }
    if (rendered.tmpfiles !== '')
      contents.set(`tmpfiles-${name}.conf`, { content: rendered.tmpfiles });
  }
  for (const { deployed, text } of from.files) {
    if (text !== undefined) contents.set(deployed.source, { content: text });
  }
  return contents;
}
