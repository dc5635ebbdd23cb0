import type { Role } from '#platform/identity/caller'

/** The roles that REQUIRE_MFA names. */
export const rolesWithSecondFactor = (setting: string): Role[] => (setting === 'none' ? [] : (setting.split(',') as Role[]))
