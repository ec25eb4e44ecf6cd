import { ObjectReader } from '../../src/oci/object-reader.js';
import { parseRuntimeResources } from '../../src/oci/parse-runtime-resources.js';
import type { RuntimeResources } from '../../src/oci/runtime-config.js';

/** Resources as a config.json has them. */
export function runtimeResources(document: object = {}): RuntimeResources {
  const json = JSON.parse(JSON.stringify(document)) as ConstructorParameters<
    typeof ObjectReader
  >[0];
  return parseRuntimeResources(new ObjectReader(json, 'linux.resources'));
}
