import { z } from 'zod'
import { eventually } from '../scenarios/eventually.ts'
import type { ControlPlane } from './parts/control-plane.ts'

const answerBody = z.looseObject({ message: z.string().optional() })

/** What the API server said: `message` is why not. */
export interface Answer {
  readonly status: number
  readonly message: string
  readonly body: z.infer<typeof answerBody>
}

/** `POST /api/v1/…` with a body; a PATCH is a merge patch. */
export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object | undefined
}

/** Asks as whoever the headers say. */
export async function ask(
  plane: ControlPlane,
  who: Readonly<Record<string, string>>,
  asked: Asked,
): Promise<Answer> {
  // A kind that was defined a moment ago is not ready to be listed.
  return eventually('the API server has time for it', async () => {
    const answer = await askOnce(plane, who, asked)
    return answer.status !== 429 && answer
  })
}

async function askOnce(
  plane: ControlPlane,
  who: Readonly<Record<string, string>>,
  { method, path, body }: Asked,
): Promise<Answer> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const answer = await plane.request(path, {
    method,
    headers: { ...who, ...(body && { 'content-type': type }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const parsed = answerBody.parse(text.startsWith('{') ? JSON.parse(text) : { message: text })
  return { status: answer.status, message: answer.ok ? '' : (parsed.message ?? text), body: parsed }
}

/** Headers that ask with a token. */
export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` }
}

/** Headers that ask, as the administrator may, in the name of another. */
export function inTheNameOf(user: string): Readonly<Record<string, string>> {
  return { 'impersonate-user': user, 'impersonate-group': 'system:authenticated' }
}
