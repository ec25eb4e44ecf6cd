import { escapeText } from '../../base/escape-text.js';
import type { SetOutcome } from '../../containers/update-set.js';
import type { UpdateOutcome } from '../../containers/update.js';
import { formatDifference } from './format-difference.js';
import { formatInstallsBefore } from './format-plan.js';

/** What an update or a rollback came to, for people. */
export function formatUpdate(outcome: UpdateOutcome, how: 'updated' | 'rolled back'): string {
  const { name, from, to } = outcome;
  switch (outcome.action) {
    case 'nothing':
      return `${name} is up to date (${from.digest}), nothing changed\n`;
    case 'rejected':
      return `${name} stays as it is: the image it would be updated to is not tried again: ${outcome.rejected ?? ''}\n  try it again with: berth update --retry ${name}\n`;
    case 'planned':
      return `${formatInstallsBefore(outcome.installs)}${outcome.difference === undefined ? '' : formatDifference(outcome.difference)}\nNothing was changed. Leave '--plan' away to carry this out.\n`;
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
      (path) => `  kept ${escapeText(path)}: it was changed on this host`,
    ),
    ...(outcome.restarted
      ? [`  ${name}.service runs ${how === 'updated' ? 'the new version' : 'it'}`]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** What an update or a rollback of a set came to, for people. */
export function formatSetUpdate(outcome: SetOutcome, how: 'updated' | 'rolled back'): string {
  const { set, action, members } = outcome;
  switch (action) {
    case 'nothing':
      return `${set} is as it would be, nothing changed\n`;
    case 'rejected': {
      const reasons = members.flatMap(({ name, rejected }) =>
        rejected === undefined ? [] : `  ${name}: ${rejected}\n`,
      );
      return `${set} stays as it is: an image that it would be updated to is not tried again\n${reasons.join('')}  try it again with: berth update --retry ${set}\n`;
    }
    case 'planned':
    case 'updated':
      break;
  }
  const parts = members.map((member) =>
    member.action === 'nothing'
      ? `${member.name} stays at deployment ${member.from.number}\n`
      : formatUpdate(member, how),
  );
  return action === 'planned' ? parts.join('\n') : `${set} ${how} as one\n${parts.join('')}`;
}
