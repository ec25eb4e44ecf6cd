import type { ContainerRecord, ContainerStatus } from './container-record.js';

/**
 * The state of a container as hooks get it (runtime-spec runtime.md, "State"). `pid` is given for a hook in the container,
 * which sees other numbers.
 */
export function stateDocument(
  record: ContainerRecord,
  status: ContainerStatus,
  pid = record.pid,
): Readonly<Record<string, unknown>> {
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    status,
    ...(status === 'stopped' ? {} : { pid }),
    bundle: record.bundle,
    annotations: record.annotations,
  };
}

/** The state as `state` and `list` print it: runc's members, which its callers read. */
export function stateRow(
  record: ContainerRecord,
  status: ContainerStatus,
): Readonly<Record<string, unknown>> {
  return {
    ...stateDocument(record, status),
    pid: status === 'stopped' ? 0 : record.pid,
    rootfs: record.rootfs,
    created: record.created,
    owner: '',
  };
}
