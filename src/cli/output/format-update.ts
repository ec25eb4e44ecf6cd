import { escapeText } from '../../base/escape-text.js';
import type { AutoUpdateOutcome } from '../../containers/auto-update.js';
import { whyHeld } from '../../containers/held-update.js';
import type { SetOutcome } from '../../containers/update-set.js';
import type { UpdateOutcome } from '../../containers/update-outcome.js';
import { formatDifference } from './format-difference.js';
import { formatInstallsBefore } from './format-plan.js';
import { NOTHING_CHANGED } from './nothing-changed.js';
import { placedHint, type Place } from './placed-hint.js';

/** What was done, and to whose containers. */
interface Change {
  readonly how: 'updated' | 'rolled back';
  readonly place: Place;
}

/** What an update or a rollback came to, for people. */
export function formatUpdate(outcome: UpdateOutcome, { how, place }: Change): string {
  const { name, from, to } = outcome;
  switch (outcome.action) {
    case 'nothing':
      return `${name} is up to date (${from.digest}), nothing changed\n`;
    case 'rejected':
      return `${name} stays as it is: the image it would be updated to is not tried again: ${escapeText(outcome.rejected ?? '')}\n${formatRetry(name, place)}`;
    case 'planned':
      return `${formatPlanned(outcome)}\n${NOTHING_CHANGED}\n`;
    case 'held':
      return formatAsks([outcome]);
    case 'updated':
      break;
  }
  const lines = [
    ...outcome.installs.map(
      ({ name: required, image }) => `${required} installed from ${escapeText(image.reference)}`,
    ),
    `${name} ${how} to ${escapeText(to.reference)} (${to.digest}), deployment ${to.number}`,
    ...outcome.gained.map((item) => `  new: ${item}`),
    ...[...outcome.kept, ...outcome.saved].map(
      (path) =>
        `  kept ${escapeText(path)}: it was changed on this host${newVersionOf(outcome, path, 'is')}`,
    ),
    ...(outcome.restarted
      ? [`  ${name}.service runs ${how === 'updated' ? 'the new version' : 'it'}`]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function formatRetry(name: string, place: Place): string {
  return placedHint(`  'berth update --retry ${name}' tries it again\n`, place);
}

function newVersionOf(
  { newVersions = [] }: UpdateOutcome,
  path: string,
  verb: 'is' | 'will be',
): string {
  const beside = `${path}.berth-new`;
  return newVersions.includes(beside) ? `; the image's ${verb} in ${escapeText(beside)}` : '';
}

function formatPlanned(outcome: UpdateOutcome): string {
  const { installs, difference } = outcome;
  return `${formatInstallsBefore(installs)}${difference === undefined ? '' : formatDifference(difference)}${formatKept(outcome)}${formatGained(outcome)}`;
}

/** With the plan: what stays as somebody changed it. */
function formatKept(outcome: UpdateOutcome): string {
  const lines = [...outcome.kept, ...outcome.saved].map(
    (path) => `  ${escapeText(path)}${newVersionOf(outcome, path, 'will be')}\n`,
  );
  return lines.length === 0
    ? ''
    : `\nChanged on this host, kept (units as PATH.save)\n${lines.join('')}`;
}

/** What new versions ask for, before somebody is asked whether they may. */
export function formatAsks(held: readonly UpdateOutcome[]): string {
  return held
    .filter(({ asks }) => asks.length > 0)
    .map(
      ({ name, to, asks }) =>
        `${name}: ${escapeText(to.reference)} (${to.digest}) may do more than what is installed:\n${asks.map((item) => `  + ${item}\n`).join('')}`,
    )
    .join('');
}

/** With the plan: what is gained, and whether somebody will be asked. */
function formatGained({ gained, asks }: UpdateOutcome): string {
  if (gained.length === 0) return '';
  const question =
    asks.length === 0
      ? ''
      : '  Before it is carried out you are asked; without a terminal it needs --allow-new-permissions.\n';
  return `\nMay do more than what is installed\n${gained.map((item) => `  + ${item}\n`).join('')}${question}`;
}

/** What the timer's run came to for one container, in a line; what is held is told with all that it asks for once. */
export function formatAutoUpdate(outcome: AutoUpdateOutcome, place: Place): string {
  const { name, action, reference, asks, wasHeld, command } = outcome;
  const line = `${name}: ${action} (${escapeText(reference)})\n`;
  if (action !== 'held' || command === undefined) return line;
  const list = asks.map((item) => `  + ${item}\n`).join('');
  return wasHeld
    ? line
    : `${line}  it ${whyHeld(asks)}:\n${list}  ${placedHint(`'${command}'`, place)} applies it\n`;
}

/** What an update or a rollback of a set came to, for people. */
export function formatSetUpdate(outcome: SetOutcome, change: Change): string {
  const { set, action, members } = outcome;
  const { how, place } = change;
  switch (action) {
    case 'nothing':
      return `${set} is as it would be, nothing changed\n`;
    case 'rejected': {
      const reasons = members.flatMap(({ name, rejected }) =>
        rejected === undefined ? [] : `  ${name}: ${escapeText(rejected)}\n`,
      );
      return `${set} stays as it is: an image that it would be updated to is not tried again\n${reasons.join('')}${formatRetry(set, place)}`;
    }
    case 'held':
      return formatAsks(members);
    case 'planned':
      return `${members.map((member) => (member.action === 'planned' ? formatPlanned(member) : formatStay(member))).join('\n')}\n${NOTHING_CHANGED}\n`;
    case 'updated':
      break;
  }
  const parts = members.map((member) =>
    member.action === 'nothing' ? formatStay(member) : formatUpdate(member, change),
  );
  return `${set} ${how} as one\n${parts.join('')}`;
}

function formatStay({ name, from }: UpdateOutcome): string {
  return `${name} stays at deployment ${from.number}\n`;
}
