import { type Document, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { INSTANCE, type Instance, type InstanceSpec } from '../apis/v1alpha1/instance.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { schedulerHints } from '../objects/build-request.ts'

/** What was given is no manifest of one Instance; the message says why. */
export class UnfitManifest extends Error {
  override readonly name = 'UnfitManifest'

  constructor(why: string) {
    super(`The manifest cannot be used: ${why}`)
  }
}

const anything = z.unknown().optional()

/** A name that is spelled wrong would be a wish that is not looked at: as Kubernetes does strictly, no other fields are taken. */
const manifest = z.object({
  apiVersion: z.literal(apiVersionOf(INSTANCE)),
  kind: z.literal(INSTANCE.kind),
  metadata: z
    .object({ name: z.string().default('dry-run'), namespace: z.string().optional() })
    .default({ name: 'dry-run' }),
  spec: z.strictObject({
    flavor: z.string().min(1),
    image: z.string().min(1),
    availabilityZone: z.string().optional(),
    requestedHost: z.string().optional(),
    schedulerHints: schedulerHints
      .strict()
      .refine(
        ({ same_host = [], different_host = [] }) => !same_host.some((one) => different_host.includes(one)),
        {
          error:
            'the hints contradict each other, because different_host and same_host name the same instance',
        },
      )
      .optional(),
    powerState: anything,
    hostname: anything,
    userData: anything,
    userDataSecret: anything,
    metadata: anything,
  } satisfies Record<keyof InstanceSpec, z.ZodType>),
})

/** As much as tells documents apart. */
const anyObject = z.looseObject({
  kind: z.string().default('something without a kind'),
  metadata: z
    .looseObject({ name: z.string().default('one without a name') })
    .default({ name: 'one without a name' }),
})

/**
 * The Instance in a manifest, as far as it matters for where it goes. What else is in the file is not looked at: it is
 * not there yet, or the API server has it.
 *
 * @param namespace is its namespace where the manifest names none
 * @throws UnfitManifest
 */
export function readManifest(text: string, namespace: string): Instance {
  const { metadata, spec } = parseOne(text)
  const { flavor, image, availabilityZone, requestedHost, schedulerHints: hints } = spec
  const { group, different_host, same_host, build_near_host_ip, cidr } = hints ?? {}
  return {
    apiVersion: apiVersionOf(INSTANCE),
    kind: INSTANCE.kind,
    metadata: { name: metadata.name, namespace: metadata.namespace ?? namespace, uid: 'dry-run' },
    spec: {
      flavor,
      image,
      powerState: 'Running',
      ...(availabilityZone !== undefined && { availabilityZone }),
      ...(requestedHost !== undefined && { requestedHost }),
      ...(hints && {
        schedulerHints: {
          ...(group !== undefined && { group }),
          ...(different_host && { different_host }),
          ...(same_host && { same_host }),
          ...(build_near_host_ip !== undefined && { build_near_host_ip }),
          ...(cidr !== undefined && { cidr }),
        },
      }),
    },
    status: {},
  }
}

function parseOne(text: string): z.infer<typeof manifest> {
  const result = manifest.safeParse(onlyInstance(text))
  if (result.success) return result.data
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join('.')}: ${message.replace(/^Invalid input: /, '')}`,
  )
  throw new UnfitManifest(problems.join('; '))
}

/** Several would each be told as if the others were not made. */
function onlyInstance(text: string): unknown {
  const objects = documentsOf(text).map((one) => ({ one, about: anyObject.safeParse(one) }))
  const unreadable = objects.find(({ about }) => !about.success)
  if (unreadable) throw new UnfitManifest('it holds something that is no Kubernetes object')
  const instances = objects.filter(({ about }) => about.data?.kind === INSTANCE.kind)
  const [first, ...more] = instances
  if (!first) {
    const kinds = objects.map(({ about }) => about.data?.kind).join(', ')
    throw new UnfitManifest(kinds === '' ? 'it is empty' : `it holds no Instance, but ${kinds}`)
  }
  if (more.length > 0) {
    const names = instances.map(({ about }) => about.data?.metadata.name).join(', ')
    throw new UnfitManifest(`it holds ${instances.length} Instances (${names}); ask for one at a time`)
  }
  return first.one
}

/** The documents that are not empty. JSON is YAML. */
function documentsOf(text: string): unknown[] {
  return [...parseAllDocuments(text, { prettyErrors: false })].flatMap((document) => {
    const [error] = document.errors
    if (error) throw new UnfitManifest(`it is no YAML: ${error.message}`)
    const value = valueOf(document)
    return value === null ? [] : [value]
  })
}

/** An alias may lead nowhere, or to more than there is room for. */
function valueOf(document: Document.Parsed): unknown {
  try {
    return document.toJS()
  } catch (error) {
    throw new UnfitManifest(`it is no YAML: ${messageOf(error)}`)
  }
}
