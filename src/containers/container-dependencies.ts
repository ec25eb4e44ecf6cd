import type { JsonReader } from '../base/json-reader.js';

/** What a container says of others: names of containers, of units, or of what other images `provide`. Sorted. */
export interface ContainerDependencies {
  /** Names that it answers to beside its own. */
  readonly provides: readonly string[];
  /** Has to run for this one to run. */
  readonly requires: readonly string[];
  /** Is started before this one, if it is started at all. */
  readonly after: readonly string[];
  /** Is started after this one. */
  readonly before: readonly string[];
  /** Must not be installed beside this one. */
  readonly conflicts: readonly string[];
}

/** Of a container that says nothing of others. */
export const NO_DEPENDENCIES: ContainerDependencies = {
  provides: [],
  requires: [],
  after: [],
  before: [],
  conflicts: [],
};

/** Reads the dependencies that a record holds; none where it is older than dependencies. */
export function readDependencies(reader: JsonReader): ContainerDependencies {
  if (!reader.present) return NO_DEPENDENCIES;
  return {
    provides: reader.member('provides').strings(),
    requires: reader.member('requires').strings(),
    after: reader.member('after').strings(),
    before: reader.member('before').strings(),
    conflicts: reader.member('conflicts').strings(),
  };
}
