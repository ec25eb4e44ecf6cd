import { escapeText } from '../../base/escape-text.js';
import type { UninstallPlan } from '../../containers/plan-uninstall.js';
import type { UninstallResult } from '../../containers/uninstall.js';
import { NOTHING_CHANGED } from './nothing-changed.js';

/** How state that stays is told. */
export interface KeptState {
  /** Whether it was asked for to remove it. */
  readonly purge: boolean;
  /** Whether another container needs a path, or something below it. */
  isUsedByOthers(path: string): boolean;
}

/** What uninstalling came to, for people. */
export function formatUninstall(result: UninstallResult, state: KeptState): string {
  const changed = [...result.kept, ...result.saved];
  return linesOf([
    `${result.name} uninstalled`,
    ...changed.map((path) => `  kept ${escapeText(path)}: it was changed on this host`),
    ...result.statePaths.map((path) => `  kept ${escapeText(path)}: ${whyKept(path, state)}`),
  ]);
}

/** What uninstalling would do, for people. */
export function formatUninstallPlan(plan: UninstallPlan): string {
  const { purges } = plan;
  return linesOf([
    `Uninstall ${plan.name}`,
    ...section('Units to stop and disable', plan.units, '-'),
    ...section('Files on the host', plan.removes, '-'),
    ...section('Changed on this host, kept (units as PATH.save)', plan.keeps, ' '),
    ...section('Deployments', plan.deployments, '-'),
    ...(purges
      ? section('State, with what is in it', plan.statePaths, '-')
      : section("State, kept unless it is empty; '--purge' removes it", plan.statePaths, ' ')),
    '',
    NOTHING_CHANGED,
  ]);
}

function section(heading: string, items: readonly string[], sign: string): readonly string[] {
  if (items.length === 0) return [];
  return ['', heading, ...items.map((item) => `  ${sign} ${escapeText(item)}`)];
}

function whyKept(path: string, state: KeptState): string {
  if (state.isUsedByOthers(path)) return 'another container uses it';
  return state.purge
    ? "a link stands on the way to it, or it is another user's"
    : 'the state of the container, which is yours to remove';
}

function linesOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
