import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeLinux } from '../oci/runtime-config.js';
import { namespaceType } from '../sys/namespace-type.js';
import { NAMESPACE_FLAGS, type LinuxNamespace } from './compile-namespaces.js';

/**
 * Looks at the namespaces that a container is to join by path, before anything of it is made: they have to be there, and
 * of the type that is said (config-linux.md, "Namespaces": anything else MUST be an error).
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function checkNamespacePaths(namespaces: RuntimeLinux['namespaces']): void {
  for (const [index, { type, path }] of namespaces.entries()) {
    if (path === undefined || path === '') continue;
    const at = `linux.namespaces[${index}].path`;
    let found: number | undefined;
    try {
      found = namespaceType(path);
    } catch (cause) {
      throw new OperationalError(
        'RUNTIME_CONFIG_INVALID',
        `${at}: cannot open the namespace ${quote(path)}`,
        { cause },
      );
    }
    if (found === NAMESPACE_FLAGS[type as LinuxNamespace]) continue;
    const name = Object.entries(NAMESPACE_FLAGS).find(([, flag]) => flag === found)?.[0];
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `${at}: ${quote(path)} is ${name === undefined ? 'no namespace' : `a ${name} namespace`}, not a ${type} namespace`,
    );
  }
}
