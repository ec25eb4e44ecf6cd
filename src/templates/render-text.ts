import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ExportsManifest } from './exports-manifest.js';
import { parseStringTemplate } from './string-template.js';
import type { Template } from './template.js';
import type { Values } from './values.js';
import { refuseSecret, valueError } from './variable-declaration.js';

/**
 * Renders a host file (`installedFilesTemplate`). Its format is unknown, so the rule is the one that holds for all of
 * them: a value cannot begin a new line. Tabs are allowed.
 *
 * @throws {@link OperationalError} VALUE_INVALID
 */
export function renderHostFile(template: Template, values: Values): string {
  return template
    .expand(values)
    .map((part) => {
      if (part.kind === 'text') return part.text;
      refuseSecret(template.name, part);
      if (/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/.test(part.value.text)) {
        throw valueError(
          part.name,
          `it has a control character, which cannot stand in ${template.name}`,
        );
      }
      return part.form === 'json' ? JSON.stringify(part.value.typed) : part.value.text;
    })
    .join('');
}

/** Names of the variables in the values of `renameFiles`, which are templates too. */
export function findRenameVariables(manifest: ExportsManifest): readonly string[] {
  return [...manifest.renameFiles].flatMap(([source, target]) => [
    ...parseStringTemplate(renameTitle(source), target).variables,
  ]);
}

/**
 * The renaming table with its variables filled in: path below `hostfs/` → absolute, normalised path on the host.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED if a side is relative, has `..` or a control character, or if two
 *   sources are renamed to one target
 */
export function renderRenameFiles(
  manifest: ExportsManifest,
  values: Values,
): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>();
  const sources = new Map<string, string>();
  for (const [source, target] of manifest.renameFiles) {
    const template = parseStringTemplate(renameTitle(source), target);
    const from = normalizeHostPath(source);
    const to = normalizeHostPath(renderHostFile(template, values));
    const other = sources.get(to);
    if (other !== undefined) {
      throw new OperationalError(
        'HOST_PATH_REFUSED',
        `renameFiles gives ${quote(other)} and ${quote(from)} the same name ${quote(to)}`,
      );
    }
    sources.set(to, from);
    renamed.set(from, to);
  }
  return renamed;
}

/**
 * Where a file below `hostfs/` goes: each leading part of its path that the table names is replaced, from the top, and
 * the outcome looked up again, as the forerunner did.
 */
export function renameHostPath(path: string, table: ReadonlyMap<string, string>): string {
  let result = '';
  for (const component of path.split('/').slice(1)) {
    result = `${result}/${component}`;
    result = table.get(result) ?? result;
  }
  return result;
}

function renameTitle(source: string): string {
  return `renameFiles[${quote(source)}]`;
}

function normalizeHostPath(path: string): string {
  const components = path.split('/').filter((component) => component !== '' && component !== '.');
  const problem = !path.startsWith('/')
    ? 'it is not absolute'
    : components.includes('..')
      ? "it has '..' in it"
      : components.length === 0
        ? 'it is the root directory'
        : /[\u0000-\u001f\u007f]/.test(path)
          ? 'it has a control character'
          : undefined;
  if (problem !== undefined) {
    throw new OperationalError(
      'HOST_PATH_REFUSED',
      `renameFiles: refusing ${quote(path)}: ${problem}`,
    );
  }
  return `/${components.join('/')}`;
}
