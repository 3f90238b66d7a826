/** The programs that set-up provides: the one place with their pinned versions and where each comes from. */
export interface Tool {
  readonly name: ToolName
  /** The version that set-up downloads or builds, without a leading "v". */
  readonly version: string
  /** The oldest version found on the PATH (or in KUBEBUILDER_ASSETS) that will do. */
  readonly minimum: string
  /** What makes it print its version and leave. */
  readonly versionArgs: readonly string[]
  /** The environment variable that names the program itself. */
  readonly variable: string
  /** Whether the folder in KUBEBUILDER_ASSETS may hold it (the envtest convention). */
  readonly inKubebuilderAssets: boolean
  /** The official release, or undefined where the project publishes none for this platform. */
  readonly release: (platform: Platform) => Release | undefined
  readonly go: GoSource
}

export const TOOL_NAMES = ['kube-apiserver', 'etcd', 'nats-server', 'kubectl', 'helm'] as const
export type ToolName = (typeof TOOL_NAMES)[number]

/** In Go's words, which the release file names use too. */
export interface Platform {
  readonly os: 'linux' | 'darwin'
  readonly arch: 'amd64' | 'arm64'
}

export interface Release {
  readonly url: string
  /** A file with the SHA-256 of `url`: the bare digest, or lines of digest and file name. */
  readonly checksumUrl: string
  /** Path of the program in the archive; undefined when the download is the program. */
  readonly member: string | undefined
}

export interface GoSource {
  readonly module: string
  readonly package: string
  /** Version of the staging modules that the module's go.mod replaces by a folder of its own repository. */
  readonly stagingVersion?: string
  readonly ldflags: readonly string[]
}

const KUBERNETES = '1.36.3'
const KUBERNETES_STAGING = 'v0.36.3'
const ETCD = '3.6.8'
const NATS = '2.15.2'
const HELM = '3.22.0'

const KUBERNETES_LDFLAGS = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap(
  (path) => {
    const [major, minor] = KUBERNETES.split('.')
    return [
      `-X ${path}.gitVersion=v${KUBERNETES}`,
      `-X ${path}.gitMajor=${major}`,
      `-X ${path}.gitMinor=${minor}`,
      `-X ${path}.gitTreeState=clean`,
    ]
  },
)

/** The Kubernetes that helm goes by without a cluster; left to itself, a build of our own says 1.20. */
const HELM_LDFLAGS = ['chartutil', 'lint/rules'].flatMap((path) => {
  const [major, minor] = KUBERNETES.split('.')
  const variable = `helm.sh/helm/v3/pkg/${path}.k8sVersion`
  return [`-X ${variable}Major=${major}`, `-X ${variable}Minor=${minor}`]
})

function kubernetesRelease(name: ToolName, platform: Platform): Release {
  const url = `https://dl.k8s.io/release/v${KUBERNETES}/bin/${platform.os}/${platform.arch}/${name}`
  return { url, checksumUrl: `${url}.sha256`, member: undefined }
}

export const TOOLS: Readonly<Record<ToolName, Tool>> = {
  'kube-apiserver': {
    name: 'kube-apiserver',
    version: KUBERNETES,
    minimum: '1.34.0',
    versionArgs: ['--version'],
    variable: 'KILONOVA_KUBE_APISERVER',
    inKubebuilderAssets: true,
    // Kubernetes publishes its servers for Linux only.
    release: (platform) =>
      platform.os === 'linux' ? kubernetesRelease('kube-apiserver', platform) : undefined,
    go: {
      module: 'k8s.io/kubernetes',
      package: 'k8s.io/kubernetes/cmd/kube-apiserver',
      stagingVersion: KUBERNETES_STAGING,
      ldflags: KUBERNETES_LDFLAGS,
    },
  },
  etcd: {
    name: 'etcd',
    version: ETCD,
    minimum: '3.5.0',
    versionArgs: ['--version'],
    variable: 'KILONOVA_ETCD',
    inKubebuilderAssets: true,
    release: (platform) => {
      const folder = `etcd-v${ETCD}-${platform.os}-${platform.arch}`
      const base = `https://github.com/etcd-io/etcd/releases/download/v${ETCD}`
      const extension = platform.os === 'darwin' ? 'zip' : 'tar.gz'
      return {
        url: `${base}/${folder}.${extension}`,
        checksumUrl: `${base}/SHA256SUMS`,
        member: `${folder}/etcd`,
      }
    },
    go: { module: 'go.etcd.io/etcd/server/v3', package: 'go.etcd.io/etcd/server/v3', ldflags: [] },
  },
  'nats-server': {
    name: 'nats-server',
    version: NATS,
    minimum: '2.10.0',
    versionArgs: ['--version'],
    variable: 'KILONOVA_NATS_SERVER',
    inKubebuilderAssets: false,
    release: (platform) => {
      const folder = `nats-server-v${NATS}-${platform.os}-${platform.arch}`
      const base = `https://github.com/nats-io/nats-server/releases/download/v${NATS}`
      return {
        url: `${base}/${folder}.tar.gz`,
        checksumUrl: `${base}/SHA256SUMS`,
        member: `${folder}/nats-server`,
      }
    },
    go: {
      module: 'github.com/nats-io/nats-server/v2',
      package: 'github.com/nats-io/nats-server/v2',
      ldflags: [],
    },
  },
  kubectl: {
    name: 'kubectl',
    version: KUBERNETES,
    minimum: '1.28.0',
    versionArgs: ['version', '--client'],
    variable: 'KILONOVA_KUBECTL',
    inKubebuilderAssets: true,
    release: (platform) => kubernetesRelease('kubectl', platform),
    go: {
      module: 'k8s.io/kubernetes',
      package: 'k8s.io/kubernetes/cmd/kubectl',
      stagingVersion: KUBERNETES_STAGING,
      ldflags: KUBERNETES_LDFLAGS,
    },
  },
  helm: {
    name: 'helm',
    version: HELM,
    minimum: '3.14.0',
    versionArgs: ['version', '--short'],
    variable: 'KILONOVA_HELM',
    inKubebuilderAssets: false,
    release: (platform) => {
      const url = `https://get.helm.sh/helm-v${HELM}-${platform.os}-${platform.arch}.tar.gz`
      return { url, checksumUrl: `${url}.sha256sum`, member: `${platform.os}-${platform.arch}/helm` }
    },
    go: {
      module: 'helm.sh/helm/v3',
      package: 'helm.sh/helm/v3/cmd/helm',
      ldflags: [`-X helm.sh/helm/v3/internal/version.version=v${HELM}`, ...HELM_LDFLAGS],
    },
  },
}

export function isToolName(word: string): word is ToolName {
  return TOOL_NAMES.some((name) => name === word)
}

/** The platform of this machine, or undefined where none of the ways but the PATH can work. */
export function thisPlatform(): Platform | undefined {
  const os = process.platform
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  if (os !== 'linux' && os !== 'darwin') return undefined
  if (arch !== 'amd64' && arch !== 'arm64') return undefined
  return { os, arch }
}
