import { expect, test } from 'bun:test'
import { Type } from '@sinclair/typebox'
import { parseSettings } from './settings.ts'
import { smtpOptions, smtpUrl } from './smtp.ts'

const isTaken = (value: string) => {
  try {
    return parseSettings(Type.Object({ SMTP_URL: smtpUrl() }), { SMTP_URL: value }).SMTP_URL === value
  } catch (error) {
    expect((error as Error).message).toContain('SMTP_URL is not valid, for example smtp://user:secret@mail.example.com:587')
    return false
  }
}

test('SMTP_URL is smtp or smtps with a host, and no option but tls', () => {
  const right = [
    'smtp://mail.example.com',
    'smtp://mail.example.com/',
    'smtp://127.0.0.1:25?tls=none',
    'smtp://user:p%40ss@[::1]:587?tls=required',
    'smtps://user:secret@mail.example.com',
    'smtps://mail.example.com:465?tls=required'
  ]
  expect(right.filter((value) => !isTaken(value))).toEqual([])
  const wrong = [
    'mail.example.com',
    'http://mail.example.com',
    'smtp://',
    'smtp://user:se%cret@mail.example.com',
    'smtp://mail.example.com:port',
    'smtp://mail.example.com/inbox',
    'smtp://mail.example.com?tls=maybe',
    'smtp://mail.example.com?tls=none&tls=required',
    'smtps://mail.example.com?tls=none',
    'smtp://user:secret@mail.example.com?ignoreTLS=true',
    'smtp://user:secret@mail.example.com?requireTLS=false',
    'smtp://user:secret@mail.example.com?tls.rejectUnauthorized=false'
  ]
  expect(wrong.filter(isTaken)).toEqual([])
})

test('TLS is required where a password is given, unless tls=none says otherwise', () => {
  expect(smtpOptions('smtp://mail.example.com')).toEqual({ host: 'mail.example.com', port: 587, secure: false })
  expect(smtpOptions('smtp://ana:p%40ss@mail.example.com:2525')).toEqual({
    host: 'mail.example.com',
    port: 2525,
    secure: false,
    requireTLS: true,
    auth: { user: 'ana', pass: 'p@ss' }
  })
  expect(smtpOptions('smtp://ana@mail.example.com').requireTLS).toBe(true)
  expect(smtpOptions('smtp://mail.example.com?tls=required').requireTLS).toBe(true)
  expect(smtpOptions('smtp://ana:secret@[::1]:25?tls=none')).toMatchObject({ host: '::1', ignoreTLS: true, secure: false })
  expect(smtpOptions('smtp://ana:secret@[::1]:25?tls=none').requireTLS).toBeUndefined()
  expect(smtpOptions('smtps://ana:secret@mail.example.com', 'PEM')).toEqual({
    host: 'mail.example.com',
    port: 465,
    secure: true,
    auth: { user: 'ana', pass: 'secret' },
    tls: { ca: 'PEM' }
  })
})
