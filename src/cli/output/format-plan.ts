import { escapeText } from '../../base/escape-text.js';
import type { FileChange, InstallPlan } from '../../containers/install-plan.js';
import { describeSigners } from '../../containers/describe-signers.js';
import { formatHealth } from './format-health.js';
import { NOTHING_CHANGED } from './nothing-changed.js';
import { formatBytes } from './units.js';

/** An install plan for people: what is fetched, what appears on the host, what the image may do there. */
export function formatPlan(plan: InstallPlan): string {
  if (plan.action === 'nothing') {
    return `${plan.name} is installed already from this image with these values; nothing to do\n`;
  }
  return [...[...plan.installs, plan].flatMap(describePlan), '', NOTHING_CHANGED]
    .join('\n')
    .concat('\n');
}

/** What is installed before something else is changed, for people; ends with an empty line, or is empty. */
export function formatInstallsBefore(plans: readonly InstallPlan[]): string {
  return plans.length === 0 ? '' : [...plans.flatMap(describePlan), '', ''].join('\n');
}

function describePlan(plan: InstallPlan, index: number): string[] {
  return [
    ...(index === 0 ? [] : ['']),
    ...heading(plan),
    ...section('Files on the host', plan.files.flatMap(describeFile)),
    ...section('Made at every boot, if missing (tmpfiles)', plan.createdPaths),
    ...section('Host paths that the container sees', plan.permissions.hostMounts),
    ...section(
      'Capabilities',
      wrapWords(
        plan.permissions.capabilities.map((name) => name.replace(/^CAP_/, '').toLowerCase()),
      ),
    ),
    ...section('System calls', plan.systemCalls === undefined ? [] : [plan.systemCalls]),
    ...section(
      `Changed in its config.json by ${plan.configChanges?.path ?? ''}`,
      plan.configChanges?.members ?? [],
    ),
    ...section('Namespaces', [
      `of its own: ${plan.namespaces.join(', ') || 'none'}`,
      `shared with the host: ${plan.permissions.sharedNamespaces.join(', ') || 'none'}`,
    ]),
    ...section('Devices', plan.permissions.devices),
    ...section(
      'Listens on, says the image; nothing is forwarded to it',
      plan.ports.length === 0 ? [] : [plan.ports.join(', ')],
    ),
    ...section(
      'Found well, after an update,',
      plan.health.command === undefined ? [] : [formatHealth(plan.health)],
    ),
    ...section('Runs as', [plan.permissions.user]),
    ...section('Outside the container, the unit', plan.notices),
    ...section('Started', plan.startedBy),
    ...section('Other containers and units', plan.dependencies),
    ...section(
      'Values',
      Object.entries(plan.values).map(([key, value]) => `${key}=${escapeText(value)}`),
    ),
    ...plan.files.flatMap(showText),
    ...section('Warnings', plan.warnings),
  ];
}

function heading(plan: InstallPlan): string[] {
  const { fetch } = plan;
  const how =
    fetch.missingLayers === 0
      ? 'nothing, all layers are in the store'
      : `${formatBytes(fetch.missingBytes)} in ${fetch.missingLayers} of ${fetch.layers} layers`;
  return [
    `Install ${plan.name} from ${escapeText(plan.image.reference)}`,
    `  digest  ${plan.image.digest}`,
    ...describeSigners(plan.image.trust).map((signer) => `  signed  ${signer}`),
    `  fetch   ${how}`,
    ...(plan.runsOnce ? ['  runs    once, in the foreground, and is removed again'] : []),
  ];
}

/** A heading with lines below it, escaped; nothing where there are none. */
export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0
    ? []
    : ['', title, ...lines.map((line) => `  ${escapeText(line, 4000)}`)];
}

function describeFile(file: FileChange): string[] {
  const mark = { new: '+', same: '=', changed: '!' }[file.state];
  const kind = { file: file.role, symlink: 'link', directory: 'folder' }[file.kind];
  const size = file.kind === 'file' ? `, ${formatBytes(file.sizeBytes)}` : '';
  return [
    `${mark} ${file.path}  (${kind}, mode ${file.mode.toString(8).padStart(4, '0')}${size})`,
    ...file.diff.map((line) => `    ${line}`),
  ];
}

function showText(file: FileChange): string[] {
  if (file.text === undefined || file.state === 'same') return [];
  return [
    '',
    file.path,
    ...file.text
      .trimEnd()
      .split('\n')
      .map((line) => `  | ${escapeText(line, 4000)}`),
  ];
}

/** Words in lines of at most 76 characters. */
function wrapWords(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 2 > 76) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}
