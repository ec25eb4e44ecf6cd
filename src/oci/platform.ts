/** What an image runs on, in Go's words (image-spec v1.1 image-index.md, "platform"). */
export interface Platform {
  /** `linux` for whatever berth can install. */
  readonly os: string;
  /** GOARCH: `amd64`, `arm64`, `arm`, … */
  readonly architecture: string;
  /** `v7`, `v8`, … where the architecture has variants. */
  readonly variant?: string | undefined;
  readonly osVersion?: string | undefined;
}
