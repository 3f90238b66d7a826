import { describe, expect, it } from 'vitest'
import { OPERATIONS, OPERATION_NAMES } from '../../src/apis/v1alpha1/operations.ts'
import { TASK_STATES, VM_STATES } from '../../src/apis/v1alpha1/states.ts'
import { STEPS } from '../../src/apis/v1alpha1/steps.ts'
import { differencesOf } from './beside-nova.ts'
import { diagram, edgesOf, taskEdgesOf } from './diagrams.ts'
import { statePage } from './page.ts'

const page = statePage()
const diagrams = [...page.matchAll(/```mermaid\n([^`]*)\n```/g)].map(([, text = '']) => text.split('\n'))

describe('docs/state-machine.md', () => {
  it('has diagrams of nothing but what Mermaid takes for a state diagram', () => {
    expect(diagrams).toHaveLength(4)
    for (const [head, ...lines] of diagrams) {
      expect(head).toBe('stateDiagram-v2')
      for (const line of lines) {
        expect(line).toMatch(
          /^ {4}(state "[\w -]+" as \w+|\[\*\] --> \w+|\w+ --> \[\*\]|\w+ --> \w+: [\w(), -]+)$/,
        )
      }
    }
  })

  it('shows every vm_state in a diagram', () => {
    const shown = diagrams.flat().join('\n')

    expect(VM_STATES.filter((one) => !shown.includes(one))).toEqual([])
  })

  it('shows every operation that changes the vm_state in a diagram', () => {
    const shown = diagrams.slice(0, 3).flat().join('\n')
    const missing = OPERATION_NAMES.filter(
      (name) => edgesOf([name]).length > 0 && edgesOf([name]).some(({ by }) => !shown.includes(by)),
    )

    expect(missing).toEqual([])
  })

  it('tells every task_state, every message and every driver call', () => {
    const words = TASK_STATES.flatMap((task) => [task, ...STEPS[task].rpc, ...STEPS[task].driver])

    expect(words.filter((word) => !page.includes(`\`${word}\``))).toEqual([])
  })

  it.each(OPERATION_NAMES)('says why %s is not Nova’s, where it is not', (name) => {
    if (differencesOf(name).length > 0) expect(OPERATIONS[name].unlikeNova).not.toBe('')
  })
})

describe('a diagram', () => {
  it('draws one arrow for all that leads from one state to another', () => {
    expect(diagram(edgesOf(['start', 'rebootHard', 'softDelete', 'restore']))).toBe(`\`\`\`mermaid
stateDiagram-v2
    state "soft-delete" as soft_delete
    stopped --> active: start, reboot (Hard)
    paused --> active: reboot (Hard)
    suspended --> active: reboot (Hard)
    error --> active: reboot (Hard)
    active --> soft_delete: softDelete
    stopped --> soft_delete: softDelete
    paused --> soft_delete: softDelete
    suspended --> soft_delete: softDelete
    rescued --> soft_delete: softDelete
    shelved --> soft_delete: softDelete
    error --> soft_delete: softDelete
    soft_delete --> active: restore
\`\`\``)
  })

  it('leads through the tasks of an operation by their messages', () => {
    expect(taskEdgesOf(['confirmResize'])).toEqual([
      { from: 'resized', to: 'resize_confirming', by: 'confirmResize' },
      { from: 'resize_confirming', to: 'active', by: 'confirm_resize' },
      { from: 'resize_confirming', to: 'stopped', by: 'confirm_resize' },
    ])
  })

  it('leaves an operation where it began that can end so', () => {
    expect(edgesOf(['rebuild'])).toEqual([{ from: 'error', to: 'active', by: 'rebuild' }])
  })
})
