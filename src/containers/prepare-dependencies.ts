import { parseUnit } from '../systemd/unit-text.js';
import type { Deployment } from './deployment.js';
import { assertNoStartCycle, orderingsOf, type UnitToCome } from './find-start-cycle.js';
import type { Host } from './host.js';
import type { RenderedContainer } from './render-container.js';
import {
  assertNothingMissing,
  resolveDependencies,
  type Neighbour,
  type ResolvedDependencies,
} from './resolve-dependencies.js';

/** A container that the same command installs. */
export interface PlannedContainer {
  readonly neighbour: Neighbour;
  /** Undefined where it has no service, or is prepared later. */
  readonly ordering: UnitToCome | undefined;
}

/** The part of a request to prepare a deployment that concerns others. */
export interface OrderingRequest {
  readonly name: string;
  readonly installed: Deployment | undefined;
  /** Containers that the same command installs, this one's requirements first. */
  readonly planned?: readonly PlannedContainer[];
  /** Whether a requirement that nobody fulfils is an error; it is, unless nothing is going to change. */
  readonly requirements?: 'refuse' | 'keep';
  /** Whether what is required is installed by the same command; undefined where the command cannot do that. */
  readonly withDependencies?: boolean | undefined;
}

/** Finds whom a container means, and refuses it where somebody is missing. */
export async function resolveFor(
  host: Host,
  from: {
    readonly request: OrderingRequest;
    readonly dependencies: Deployment['dependencies'];
  },
): Promise<ResolvedDependencies> {
  const { request, dependencies } = from;
  const resolved = await resolveDependencies(host, {
    name: request.name,
    dependencies,
    planned: (request.planned ?? []).map(({ neighbour }) => neighbour),
  });
  if (request.requirements !== 'keep')
    assertNothingMissing(resolved, { canInstall: request.withDependencies === false });
  return resolved;
}

/**
 * How the unit of a container is ordered, refused where that closes a cycle. Looked at only where something is said of
 * others: what an image's unit says by itself is between its author and systemd.
 */
export async function checkOrdering(
  host: Host,
  from: {
    readonly request: OrderingRequest;
    readonly rendered: RenderedContainer | undefined;
    readonly resolved: ResolvedDependencies;
  },
): Promise<UnitToCome | undefined> {
  const { request, rendered, resolved } = from;
  if (rendered === undefined) return undefined;
  const ordering = orderingsOf(`${request.name}.service`, {
    document: parseUnit(rendered.unit),
    resolved,
    replaces: request.installed !== undefined,
  });
  const planned = (request.planned ?? []).flatMap(({ ordering: other }) => other ?? []);
  const said = [...resolved.after, ...resolved.before, ...resolved.awaitedBy, ...planned];
  if (said.length > 0 && request.requirements !== 'keep') {
    await assertNoStartCycle(await host.openUnitManager(), [ordering, ...planned]);
  }
  return ordering;
}
