/** Well-formed documents of image-spec, for tests that bend one member of them. */
export const digest = `sha256:${'a'.repeat(64)}`;

/** A descriptor of a configuration. */
export const config = {
  mediaType: 'application/vnd.oci.image.config.v1+json',
  digest,
  size: 2,
};

/** A descriptor of a layer. */
export const layer = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest,
  size: 2,
};

/** An image manifest with one layer. */
export const manifest = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config,
  layers: [layer],
};

/** An index with one entry. */
export const index = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [
    {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      size: 2,
      platform: { os: 'linux', architecture: 'amd64' },
    },
  ],
};

/** An image configuration that fits {@link manifest}. */
export const imageConfig = {
  os: 'linux',
  architecture: 'amd64',
  rootfs: { type: 'layers', diff_ids: [digest] },
  config: {},
};
