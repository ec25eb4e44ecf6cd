import type { ContainerName } from '../base/container-name.js';
import type { UnitDirective } from '../runtime/launch-plan.js';
import type { ActivatorType } from '../systemd/check-activation.js';
import { checkUnit } from '../systemd/check-unit.js';
import { unitNameOf } from '../systemd/unit-name.js';
import { parseUnit } from '../systemd/unit-text.js';
import { renderUnit } from '../templates/render-unit.js';
import type { Template } from '../templates/template.js';
import type { Values } from '../templates/values.js';
import { pathsMadeBy } from './activator-places.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { firstReach } from './loosened-directives.js';
import { assertUnitPaths } from './unit-paths.js';
import { assertUnitReads } from './unit-reads.js';
import { toUsersUnit } from './users-unit.js';

/** A unit that starts the service of a container, as text, checked. */
export interface RenderedActivator {
  readonly unit: string;
  readonly text: string;
  /** Berth's own settings beside it. */
  readonly directives: readonly UnitDirective[];
  readonly warnings: readonly string[];
  /** What it does on the host. */
  readonly notices: readonly string[];
}

/** What {@link renderActivators} works from. */
export interface ActivatorsRequest {
  readonly name: ContainerName;
  readonly templates: ReadonlyMap<ActivatorType, Template>;
  readonly values: Values;
  readonly allowHostPaths: readonly string[];
  /** The deployment that is there already: what its sockets made may stand where new ones do. */
  readonly installed: Deployment | undefined;
  /** Folders of the host that the container may write in. */
  readonly writable: readonly string[];
}

/** As with the service: an interrupted change is finished or undone before anything of it starts. */
const DIRECTIVES: readonly UnitDirective[] = [['Unit', 'After', 'berth-recover.service']];

/**
 * Renders the socket, the timer and the path of a container and checks each as its service is checked.
 *
 * @throws OperationalError TEMPLATE_INVALID, VALUE_INVALID, UNIT_INVALID, HOST_PATH_REFUSED, HOST_FILE_EXISTS
 */
export async function renderActivators(
  host: Host,
  request: ActivatorsRequest,
): Promise<readonly RenderedActivator[]> {
  const { name, templates, values } = request;
  const systemdVersion = await (await host.openUnitManager()).findSystemdVersion();
  const rendered: RenderedActivator[] = [];
  for (const [type, template] of templates) {
    const unit = unitNameOf(name, type);
    const written = renderUnit(template, values);
    const { text, warnings } =
      host.paths.mode === 'user' ? toUsersUnit(written) : { text: written, warnings: [] };
    const document = parseUnit(text);
    const checked = checkUnit(document, { name, type, systemdVersion });
    await assertUnitPaths(host, { ...request, unit, document, pathsOf: pathsMadeBy });
    await assertUnitReads(host, { ...request, unit, document });
    rendered.push({
      unit,
      text,
      directives: DIRECTIVES,
      warnings: [...warnings, ...checked.warnings].map((warning) => `${unit}: ${warning}`),
      notices: [...checked.notices, ...firstReach(document, name)].map(
        (notice) => `${unit}, ${notice}`,
      ),
    });
  }
  return rendered;
}
