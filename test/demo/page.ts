import type { DemoCommand } from './demo-host.js';
import type { Style } from './style.js';

/** Everything that the page says. */
export interface DemoPage {
  readonly title: string;
  readonly lead: readonly string[];
  readonly installed: readonly DemoCommand[];
  readonly chain: readonly string[];
  readonly chainVerdict: string;
  readonly places: readonly (readonly [path: string, what: string])[];
  readonly processes: readonly string[];
  readonly facts: readonly (readonly [what: string, figure: string])[];
  readonly next: readonly (readonly [command: string, what: string])[];
}

/** Width that is read without turning the head, and fits a terminal beside an editor. */
const COLUMNS = 96;

/** Sets the page: sections with a rule each, paths and figures in columns. */
export function formatPage(page: DemoPage, style: Style): string {
  const lines: string[] = ['', style.strong(page.title), style.faint('═'.repeat(COLUMNS)), ''];
  lines.push(...page.lead, '');
  lines.push(...heading('Installed', style));
  for (const command of page.installed) {
    lines.push(`  ${style.accent(`# ${command.line}`)}`);
    for (const line of command.output.split('\n')) lines.push(`  ${line}`);
    lines.push(style.faint(`  ${(command.tookMs / 1000).toFixed(1)} s`), '');
  }
  lines.push(...heading('The next boot', style));
  for (const line of page.chain) lines.push(`  ${line}`);
  lines.push('', `  ${style.good('✓')} ${page.chainVerdict}`, '');
  lines.push(...heading('What stands where', style), ...columns(page.places, style), '');
  lines.push(...heading('What runs', style));
  for (const line of page.processes) lines.push(`  ${line}`);
  lines.push('', ...columns(page.facts, style), '');
  lines.push(...heading('What to try next', style), ...columns(page.next, style), '');
  return `${lines.join('\n')}\n`;
}

function heading(text: string, style: Style): readonly string[] {
  return [style.strong(`${text} `) + style.faint('─'.repeat(COLUMNS - text.length - 1)), ''];
}

function columns(rows: readonly (readonly [string, string])[], style: Style): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${style.accent(left.padEnd(width))}  ${right}`);
}
