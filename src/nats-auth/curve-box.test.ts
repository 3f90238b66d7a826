import { createCurve, type KeyPair } from '@nats-io/nkeys'
import { describe, expect, it } from 'vitest'
import { CurveBox } from './curve-box.ts'

const MESSAGE = new TextEncoder().encode('who is it?')

function make(): { readonly library: KeyPair; readonly box: CurveBox; readonly name: string } {
  const library = createCurve()
  const box = new CurveBox(new TextDecoder().decode(library.getSeed()))
  return { library, box, name: library.getPublicKey() }
}

describe('a curve box', () => {
  it('opens what the library sealed, and the other way round, message after message', () => {
    const [ours, theirs] = [make(), make()]

    for (const length of [0, 1, 10_000]) {
      const message = new Uint8Array(length).fill(length)
      expect(ours.box.open(theirs.library.seal(message, ours.name), theirs.name)).toEqual(message)
      expect(theirs.library.open(ours.box.seal(message, theirs.name), ours.name)).toEqual(message)
    }
  })

  it('seals the same twice in different ways', () => {
    const [ours, theirs] = [make(), make()]

    expect(ours.box.seal(MESSAGE, theirs.name)).not.toEqual(ours.box.seal(MESSAGE, theirs.name))
  })

  it('does not open what somebody else sealed, or what was sealed for somebody else', () => {
    const [ours, theirs, eve] = [make(), make(), make()]

    expect(ours.box.open(eve.library.seal(MESSAGE, ours.name), theirs.name)).toBeUndefined()
    expect(ours.box.open(theirs.library.seal(MESSAGE, eve.name), theirs.name)).toBeUndefined()
  })

  it('does not open what was changed on the way, at whichever place', () => {
    const [ours, theirs] = [make(), make()]
    const sealed = theirs.library.seal(MESSAGE, ours.name)

    for (const at of sealed.keys()) {
      const changed = sealed.map((byte, index) => (index === at ? byte ^ 1 : byte))
      expect(ours.box.open(changed, theirs.name)).toBeUndefined()
    }
    for (const length of sealed.keys()) {
      expect(ours.box.open(sealed.subarray(0, length), theirs.name)).toBeUndefined()
    }
  })

  it.each(['', 'X', 'UA'.padEnd(56, 'A'), 'X'.padEnd(56, 'A')])('knows no peer by %j', (peer) => {
    expect(() => make().box.seal(MESSAGE, peer)).toThrow(TypeError)
  })

  it.each(['', 'SXA', 'garbage'])('is not made of the seed %j', (seed) => {
    expect(() => new CurveBox(seed)).toThrow()
  })

  it('goes on with any number of peers', () => {
    const ours = make()
    const peers = Array.from({ length: 70 }, make)

    for (const { library, name } of [...peers, ...peers.slice(0, 2)]) {
      expect(ours.box.open(library.seal(MESSAGE, ours.name), name)).toEqual(MESSAGE)
    }
  })
})
