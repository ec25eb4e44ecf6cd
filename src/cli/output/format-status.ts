import { escapeText } from '../../base/escape-text.js';
import { isWaiting } from '../../containers/activators.js';
import { instanceName } from '../../systemd/unit-name.js';
import type { UnitState } from '../../systemd/unit-manager.js';
import type { ContainerStatus } from '../../containers/container-status.js';
import { describeSigners } from '../../containers/describe-signers.js';
import { commandFor, whyHeld } from '../../containers/held-update.js';
import { formatAge, formatBytes } from './units.js';
import { placedHint, type Place } from './placed-hint.js';

/** What the first boot of a tree makes of a unit. */
const PRESETS = {
  enable: "the first boot enables it: systemd's presets say so (systemd.preset(5))",
  disable: "the first boot may disable it: systemd's presets say so (systemd.preset(5))",
};

/** The status of one container for people: a block of lines, the log at its end. */
export function formatStatus(status: ContainerStatus, nowMs: number, place: Place = {}): string {
  const { name, deployment, unit, state, activators, instances, offline, log, held } = status;
  const lines = [`${escapeText(name)} - ${deployment.image.reference}`];
  const add = (label: string, value: string | undefined): void => {
    if (value !== undefined && value !== '')
      lines.push(`${label.padStart(12)}${label === '' ? ' ' : ':'} ${value}`);
  };
  if (instances !== undefined) {
    const { length } = instances;
    add('State', `a template with ${length} active ${length === 1 ? 'instance' : 'instances'}`);
    for (const instance of instances)
      add('Instance', `${escapeText(instanceName(instance))} (${instance})`);
  } else if (state === undefined) {
    add(
      'State',
      deployment.units.length === 0
        ? 'no service, files only'
        : offline === undefined
          ? 'unknown: systemd is not running here'
          : 'offline: the system in this tree is not running',
    );
    add('At boot', offline?.enabled);
    if (offline?.preset !== undefined) add('', PRESETS[offline.preset]);
  } else {
    const since =
      state.activeEnterTimestampUs > 0n && state.activeState === 'active'
        ? ` since ${formatAge(nowMs - Number(state.activeEnterTimestampUs / 1000n))}`.replace(
            ' ago',
            '',
          )
        : '';
    const why = state.result === 'success' || state.result === '' ? '' : `, result ${state.result}`;
    add(
      'State',
      `${isWaiting(state, activators) ? 'waiting' : state.activeState} (${state.subState})${since === '' ? '' : since.replace('since', 'for')}${why}`,
    );
    add('At boot', state.unitFileState);
    add('Main PID', state.mainPid === undefined ? undefined : String(state.mainPid));
    add('Restarts', state.restarts > 0 ? String(state.restarts) : undefined);
    add('Says', escapeText(state.statusText));
    add(
      'Memory',
      state.memoryCurrentBytes === undefined
        ? undefined
        : formatBytes(Number(state.memoryCurrentBytes)),
    );
    add('Tasks', state.tasksCurrent?.toString());
    if (state.needDaemonReload)
      add('Note', placedHint("its unit changed on disk; run 'systemctl daemon-reload'", place));
  }
  add('Unit', unit);
  for (const activator of instances === undefined ? activators : [])
    add(...describeActivator(activator));
  add('Image', deployment.image.digest);
  for (const signer of describeSigners(deployment.image.trust)) add('Signed', signer);
  add('Deployment', `${deployment.number}, made ${deployment.createdAt}`);
  add('Runtime', deployment.runtime);
  if (held !== undefined) {
    const { reference } = held;
    const rebase = reference === deployment.image.reference ? undefined : reference;
    add('Held', `${escapeText(reference)} (${held.digest}) ${whyHeld(held.asks)}`);
    for (const item of held.asks) add('', `+ ${item}`);
    add('', placedHint(`'${commandFor(deployment.name, { rebase })}' applies it`, place));
  }
  if (log.length > 0) lines.push('', ...log.map((line) => `  ${escapeText(line, 400)}`));
  return `${lines.join('\n')}\n`;
}

/** `Timer`, and what is to be said of it. */
function describeActivator(state: UnitState): readonly [string, string] {
  const { unit, activeState, subState, unitFileState, result, nextElapseUs } = state;
  const type = unit.slice(unit.lastIndexOf('.') + 1);
  const next =
    nextElapseUs === undefined
      ? []
      : [`next at ${new Date(Number(nextElapseUs / 1000n)).toISOString()}`];
  const why = result === 'success' || result === '' ? [] : [`result ${result}`];
  return [
    `${type.slice(0, 1).toUpperCase()}${type.slice(1)}`,
    [`${unit}, ${activeState} (${subState})`, ...why, unitFileState, ...next].join(', '),
  ];
}
