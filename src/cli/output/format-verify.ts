import { escapeText } from '../../base/escape-text.js';
import type { VerifyReport } from '../../containers/verify/verify-container.js';
import { placedHint, type Place } from './placed-hint.js';

/** A report of what drifted, for people: `!` is drift, `-` a note. */
export function formatVerify(report: VerifyReport, place: Place = {}): string {
  const { name, number, findings } = report;
  const drifted = findings.filter(({ severity }) => severity === 'drift').length;
  const lines = [
    `${number === undefined ? name : `${name}.${number}`}: ${drifted === 0 ? 'as installed' : `${drifted} ${drifted === 1 ? 'thing' : 'things'} drifted`}`,
  ];
  const hints = new Set<string>();
  for (const { area, severity, path, problem, hint, diff } of findings) {
    const mark = severity === 'drift' ? '!' : '-';
    const where = path === undefined ? '' : `${escapeText(path, 1000)}: `;
    lines.push(`  ${mark} [${area}] ${where}${escapeText(problem, 1000)}`);
    lines.push(...diff.map((line) => `      ${escapeText(line, 1000)}`));
    if (hint !== undefined) hints.add(hint);
  }
  lines.push(...[...hints].map((hint) => `  hint: ${placedHint(hint, place)}`));
  return `${lines.join('\n')}\n`;
}
