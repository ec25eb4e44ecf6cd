import { escapeText } from '../../base/escape-text.js';
import type { HostCheck } from '../../containers/check-host.js';
import type { HostRepair } from '../../containers/repair-host.js';
import type { HostRepairPlan } from '../../containers/plan-repair.js';
import { section } from './format-plan.js';
import { NOTHING_CHANGED } from './nothing-changed.js';
import { formatBytes } from './units.js';

/** Damaged things that are shown one by one; `--json` has all. */
const MAX_SHOWN = 50;

/** What a check found, for people. */
export function formatCheck(check: HostCheck): string {
  const { checkedObjects, checkedDeployments, problems, checkouts } = check;
  const lines = [...describeProblems(check)];
  const what = `${counted(checkedObjects, 'object')} and ${counted(checkedDeployments, 'deployment')} checked`;
  const count = problems.length + checkouts.length;
  lines.push(count === 0 ? `${what}: all sound` : `${what}: ${counted(count, 'problem')}`);
  if (count > 0) lines.push("hint: 'berth fsck --repair' puts right what can be");
  return `${lines.join('\n')}\n`;
}

/** What a repair came to, for people. */
export function formatRepair(repair: HostRepair): string {
  const { found, left, fetched, fetchedBytes, mended, reasons } = repair;
  const count = found.problems.length + found.checkouts.length;
  if (count === 0) return formatCheck(found);
  const lines = [
    ...describeProblems(found),
    `${counted(count, 'problem')}; ${counted(fetched.length, 'layer')} (${formatBytes(fetchedBytes)}) fetched again, ${counted(mended.length, 'file')} of deployments put right`,
  ];
  const remaining = left.problems.length + left.checkouts.length;
  if (remaining === 0) lines.push('everything is sound now');
  else {
    lines.push('', `${counted(remaining, 'problem')} left:`, ...describeProblems(left));
    lines.push(...reasons.map((reason) => `  because: ${escapeText(reason, 1000)}`));
    // Whoever put it there may need it; berth has nothing to put in its place.
    if (left.checkouts.some(({ paths }) => paths.some((path) => path.endsWith(' (added)'))))
      lines.push('hint: what was added to a deployment is yours to look at, and to remove');
  }
  return `${lines.join('\n')}\n`;
}

/** What a repair would do, for people. */
export function formatRepairPlan({ found, documents, layers, checkouts }: HostRepairPlan): string {
  if (found.problems.length + found.checkouts.length === 0) return formatCheck(found);
  const lines = [
    ...describeProblems(found),
    ...section(
      'Manifests and configurations to fetch again',
      documents.map(({ digest, from }) => `${digest} ${placesOf(from)}`),
    ),
    ...section(
      'Layers to fetch again',
      layers.map(({ diffId, bytes, from }) => `${diffId}, ${formatBytes(bytes)} ${placesOf(from)}`),
    ),
    ...section('Deployments whose files are put right', checkouts),
    '',
    NOTHING_CHANGED,
  ];
  return `${lines.join('\n')}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function placesOf(references: readonly string[]): string {
  return references.length === 0
    ? '(nobody can say from where)'
    : `from ${references.join(' or ')}`;
}

function describeProblems({ problems, checkouts }: HostCheck): string[] {
  const lines = problems
    .slice(0, MAX_SHOWN)
    .map(({ kind, id, problem }) => `! ${kind} ${id}: ${escapeText(problem, 1000)}`);
  if (problems.length > MAX_SHOWN) lines.push(`  and ${problems.length - MAX_SHOWN} more`);
  for (const { directory, problem, paths, count } of checkouts) {
    if (problem !== undefined) lines.push(`! ${directory}: ${escapeText(problem, 1000)}`);
    lines.push(
      ...paths.slice(0, MAX_SHOWN).map((path) => `! ${directory}: ${escapeText(path, 1000)}`),
    );
    if (count > MAX_SHOWN) lines.push(`  and ${count - MAX_SHOWN} more in ${directory}`);
  }
  return lines;
}
