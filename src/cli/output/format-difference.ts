import { escapeText } from '../../base/escape-text.js';
import type { JsonValue } from '../../base/strict-json.js';
import type { FileDifference, TreeDifference } from '../../store/compare-trees.js';
import type { ValueDifference } from '../../containers/compare-values.js';
import type { DeploymentDifference } from '../../containers/describe-difference.js';
import type { PackagesDifference } from '../../images/packages/compare-packages.js';
import { formatBytes } from './units.js';

/** Files that are shown one by one; `--json` has the rest. */
const MAX_SHOWN_FILES = 40;

/** Packages that are shown one by one. */
const MAX_SHOWN_PACKAGES = 60;

/** The difference of two deployments or images for people: `-` what goes, `+` what comes, `~` what changes. */
export function formatDifference(difference: DeploymentDifference): string {
  const { before, after } = difference;
  const lines = [
    `${escapeText(before.label)} → ${escapeText(after.label)}`,
    ...heading(difference),
    ...(difference.packages === undefined ? [] : formatPackages(difference.packages)),
    ...(difference.files === undefined ? [] : formatFiles(difference.files)),
    ...difference.permissions.flatMap(({ what, gained, lost }) =>
      section(`${what.slice(0, 1).toUpperCase()}${what.slice(1)}`, [
        ...lost.map((item) => `- ${item}`),
        ...gained.map((item) => `+ ${item}`),
      ]),
    ),
    ...section('Variables', difference.variables.map(formatValue)),
    ...section('Labels', difference.labels.map(formatValue)),
    ...section('Configuration', difference.config.flatMap(formatMember)),
    ...section('Recorded', difference.record.flatMap(formatMember)),
    ...difference.texts.flatMap(({ name, lines }) => section(name, lines)),
  ];
  return `${lines.join('\n')}\n`;
}

function heading(difference: DeploymentDifference): string[] {
  const { before, after, bytesToFetch } = difference;
  const lines: string[] = [];
  if (before.reference !== after.reference) {
    lines.push(`  image   ${escapeText(before.reference)} → ${escapeText(after.reference)}`);
  }
  lines.push(
    before.digest === after.digest
      ? `  digest  ${after.digest} (the same)`
      : `  digest  ${before.digest} → ${after.digest}`,
  );
  if (bytesToFetch !== undefined) {
    lines.push(`  fetch   ${bytesToFetch === 0 ? 'nothing' : formatBytes(bytesToFetch)}`);
  }
  if (difference.same) lines.push('', 'There is no difference.');
  return lines;
}

function formatPackages(packages: PackagesDifference): string[] {
  const { changes, unread } = packages;
  const lines = changes.slice(0, MAX_SHOWN_PACKAGES).map(({ name, before, after }) => {
    if (before.length === 0) return `+ ${name} ${after.join(', ')}`;
    if (after.length === 0) return `- ${name} ${before.join(', ')}`;
    return `~ ${name} ${before.join(', ')} → ${after.join(', ')}`;
  });
  if (changes.length > lines.length) lines.push(`and ${changes.length - lines.length} more`);
  lines.push(...unread.map((text) => `not compared: ${text}`));
  const count = (kind: 'before' | 'after'): number =>
    changes.filter((change) => change[kind].length === 0).length;
  const added = count('before');
  const removed = count('after');
  const title = `Packages: ${changes.length - added - removed} changed, ${added} added, ${removed} removed`;
  return lines.length === 0 ? [] : section(title, lines);
}

function formatFiles(files: TreeDifference): string[] {
  const { added, removed, changed } = files;
  const all = added + removed + changed;
  if (all === 0) return [];
  const lines = files.files.slice(0, MAX_SHOWN_FILES).map(formatFile);
  if (all > lines.length) lines.push(`and ${all - lines.length} more`);
  const growth = files.bytesAfter - files.bytesBefore;
  const size = `${growth < 0 ? '-' : '+'}${formatBytes(Math.abs(growth))}`;
  return section(`Files: ${changed} changed, ${added} added, ${removed} removed, ${size}`, lines);
}

/** One changed file in one line. */
export function formatFile(file: FileDifference): string {
  const mark = { added: '+', removed: '-', changed: '~' }[file.change];
  const bytes = [file.bytesBefore, file.bytesAfter]
    .filter((size) => size !== undefined)
    .map(formatBytes);
  const details = [
    file.kind === 'file' ? undefined : file.kind,
    file.aspects.length === 0 ? undefined : file.aspects.join(', '),
    [...new Set(bytes)].join(' → ') || undefined,
  ].filter((detail) => detail !== undefined);
  const text = details.length === 0 ? '' : `  (${details.join('; ')})`;
  return `${mark} ${escapeText(file.path, MAX_PATH_CHARACTERS)}${text}`;
}

const MAX_PATH_CHARACTERS = 1000;

/** A value that differs, to be escaped. */
export function formatValue({ name, before, after }: ValueDifference): string {
  if (before === undefined) return `+ ${name}=${after ?? ''}`;
  if (after === undefined) return `- ${name}=${before}`;
  return `~ ${name}=${before} → ${after}`;
}

function formatMember(change: {
  readonly path: string;
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
}): string[] {
  const { path, before, after } = change;
  if (before === undefined) return [`+ ${path}: ${show(after)}`];
  if (after === undefined) return [`- ${path}: ${show(before)}`];
  return [`~ ${path}: ${show(before)} → ${show(after)}`];
}

/** Longest value of a document that is shown in a line. */
const MAX_VALUE_CHARACTERS = 160;

function show(value: JsonValue | undefined): string {
  return value === undefined ? '' : escapeText(JSON.stringify(value), MAX_VALUE_CHARACTERS);
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0
    ? []
    : ['', title, ...lines.map((line) => `  ${escapeText(line, 4000)}`)];
}
