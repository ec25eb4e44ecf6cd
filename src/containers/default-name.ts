/**
 * The name that a container gets from the reference of its image: the last part of the repository, or of the path, without
 * tag and digest (`docker://registry.example:5000/infra/etcd:3.5@sha256:…` gives `etcd`). Not checked.
 */
export function defaultContainerName(reference: string): string {
  const withoutRepository = reference.startsWith('ostree:')
    ? reference.replace(/@\/.*$/s, '')
    : reference;
  const withoutDigest = withoutRepository.replace(/@[a-z0-9]+:[0-9a-f]+$/, '');
  const path = withoutDigest.replace(/\/+$/, '');
  const last = path.slice(path.lastIndexOf('/') + 1);
  const withoutTransport = path.includes('/')
    ? last
    : last.replace(
        /^(?:docker|oci|oci-archive|docker-archive|docker-daemon|dockertar|dir|http|https|ostree):/,
        '',
      );
  return withoutTransport.replace(/:.*$/, '').replace(/\.(?:tar|oci)$/, '');
}
