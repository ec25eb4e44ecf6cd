import { isTemplateName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { instanceUnitName, parseUnitName } from '../systemd/unit-name.js';
import { activatorsOfInstance } from './activators.js';
import { getContainer } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';

/** What a name on a command line means. */
export interface FoundService {
  readonly deployment: Deployment;
  /** The unit: of the container, or of one instance of it; undefined where it has no service. */
  readonly unit: string | undefined;
  /** Units that start it: of an instance its own. */
  readonly activators: readonly string[];
}

/**
 * The service that a name means: `NAME`, or `NAME@INSTANCE` of a container `NAME@`. A template itself is given as its
 * unit, of which nothing ever runs.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND
 */
export async function findService(host: Host, name: string): Promise<FoundService> {
  const at = name.indexOf('@');
  const deployment = await getContainer(host.paths, at === -1 ? name : name.slice(0, at + 1));
  const template = deployment.units[0];
  const instance = at === -1 ? '' : name.slice(at + 1);
  const activators = activatorsOfInstance(deployment.units, instance);
  if (template === undefined || instance === '') return { deployment, unit: template, activators };
  return { deployment, unit: instanceUnitName(parseUnitName(template), instance), activators };
}

/**
 * The same where something has to run, or is to: a template is refused.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND; CONTAINER_NOT_RUNNING where it has no service; USAGE for a template
 * without an instance
 */
export async function getRunnableService(
  host: Host,
  name: string,
): Promise<FoundService & { readonly unit: string }> {
  const { deployment, unit, activators } = await findService(host, name);
  if (unit === undefined) {
    throw new OperationalError(
      'CONTAINER_NOT_RUNNING',
      `'${name}' has no service: its image only brings files for the host`,
    );
  }
  if (isTemplateName(name)) {
    throw new OperationalError(
      'USAGE',
      `'${name}' is a template, which systemd only has instances of`,
      { hint: `name one: ${name}INSTANCE` },
    );
  }
  return { deployment, unit, activators };
}
