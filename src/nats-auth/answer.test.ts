import { expect, it } from 'vitest'
import { answerClaims, userClaims } from './answer.ts'

const USER = { userNkey: 'U1', account: 'KILONOVA', expiresS: 1_800_000_000 }
const LIMITS = { subs: -1, data: -1, payload: -1, allowed_connection_types: ['STANDARD'] }

it.each([
  {
    what: 'subjects',
    permissions: { publish: { allow: ['a'] }, subscribe: { allow: ['b', 'c.>'] } },
    nats: { pub: { allow: ['a'] }, sub: { allow: ['b', 'c.>'] } },
  },
  {
    what: 'nothing, which is not everything',
    permissions: { publish: { allow: [] }, subscribe: { allow: [] } },
    nats: { pub: { deny: ['>'] }, sub: { deny: ['>'] } },
  },
])('a user is allowed $what', ({ permissions, nats }) => {
  expect(userClaims({ ...USER, permissions })).toEqual({
    sub: 'U1',
    aud: 'KILONOVA',
    exp: 1_800_000_000,
    nats: { type: 'user', ...nats, ...LIMITS },
  })
})

it.each([{ jwt: 'e30' }, { error: 'it shows no token' }])(
  'an answer is made out to the broker: %j',
  (answer) => {
    expect(answerClaims({ userNkey: 'U1', serverId: 'N1' }, answer)).toEqual({
      sub: 'U1',
      aud: 'N1',
      nats: { type: 'authorization_response', ...answer },
    })
  },
)
