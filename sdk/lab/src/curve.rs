//! Just enough arithmetic to tell whether a number is the x coordinate of a secp256k1 point.

type Limbs = [u64; 4];

/// 2^256 minus the field's prime.
const FOLD: u128 = 0x1_0000_03d1;
/// The field's prime, least significant limb first.
const PRIME: Limbs = [0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX];

/// True if some point of the curve y^2 = x^3 + 7 has this x (least significant limb first).
pub fn is_x_coordinate(x: Limbs) -> bool {
    if !less(&x, &PRIME) {
        return false;
    }
    let cube = multiply(multiply(x, x), x);
    jacobi(add_small(cube, 7), PRIME) == 1
}

fn less(a: &Limbs, b: &Limbs) -> bool {
    a.iter().rev().cmp(b.iter().rev()).is_lt()
}

fn subtract(a: Limbs, b: Limbs) -> Limbs {
    let mut out = [0; 4];
    let mut borrow = false;
    for i in 0..4 {
        let (first, under) = a[i].overflowing_sub(b[i]);
        let (second, under_again) = first.overflowing_sub(u64::from(borrow));
        out[i] = second;
        borrow = under || under_again;
    }
    out
}

fn add_small(a: Limbs, mut carry: u128) -> Limbs {
    let mut out = [0; 4];
    for i in 0..4 {
        carry += u128::from(a[i]);
        out[i] = carry as u64;
        carry >>= 64;
    }
    match carry {
        0 if less(&out, &PRIME) => out,
        0 => subtract(out, PRIME),
        over => add_small(out, over * FOLD),
    }
}

fn multiply(a: Limbs, b: Limbs) -> Limbs {
    let mut wide = [0u64; 8];
    for i in 0..4 {
        let mut carry = 0u128;
        for j in 0..4 {
            carry += u128::from(a[i]) * u128::from(b[j]) + u128::from(wide[i + j]);
            wide[i + j] = carry as u64;
            carry >>= 64;
        }
        wide[i + 4] = carry as u64;
    }
    let mut out = [0; 4];
    let mut carry = 0u128;
    for i in 0..4 {
        carry += u128::from(wide[i]) + u128::from(wide[i + 4]) * FOLD;
        out[i] = carry as u64;
        carry >>= 64;
    }
    add_small(out, carry * FOLD)
}

/// The Jacobi symbol (a / n) for odd n; for a prime n, 1 means that a is a square.
fn jacobi(mut a: Limbs, mut n: Limbs) -> i32 {
    let mut sign = 1;
    while a != [0; 4] {
        while a[0] & 1 == 0 {
            a = halve(a);
            if matches!(n[0] & 7, 3 | 5) {
                sign = -sign;
            }
        }
        if less(&a, &n) {
            std::mem::swap(&mut a, &mut n);
            if a[0] & 3 == 3 && n[0] & 3 == 3 {
                sign = -sign;
            }
        }
        a = subtract(a, n);
    }
    if n == [1, 0, 0, 0] { sign } else { 0 }
}

fn halve(a: Limbs) -> Limbs {
    [a[0] >> 1 | a[1] << 63, a[1] >> 1 | a[2] << 63, a[2] >> 1 | a[3] << 63, a[3] >> 1]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn limbs(hex: &str) -> Limbs {
        let limb = |i: usize| u64::from_str_radix(&hex[i * 16..(i + 1) * 16], 16).unwrap();
        [limb(3), limb(2), limb(1), limb(0)]
    }

    #[test]
    fn ids_of_real_nodes_lie_on_the_curve() {
        for id in [
            "7bea3f992b4e34b0e3cdfe524c624d077cce76971b8107ea5419261b764f1109",
            "4a2c43061028605c8caa45538786e767ac71cba918942216325512983019c359",
            "bcb55b577c7dcec94c2f7525d48fb7d09fe8aef8f8d92fc7b25df84a8b9c11ef",
            "84ada9b2bf91613d7ec51e78e4c85710c9b878b1f0ae36575e2685a35773c689",
            "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        ] {
            assert!(is_x_coordinate(limbs(id)), "{id}");
        }
    }

    #[test]
    fn about_half_of_all_numbers_do_not() {
        let mut rng = crate::rng::Rng::new(1);
        let hits = (0..1000)
            .filter(|_| is_x_coordinate([rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64()]))
            .count();
        assert!((430..570).contains(&hits), "{hits} of 1000");
        // x = 5 gives 132, which is no square modulo the prime; x = 1 gives 8, which is one.
        assert!(!is_x_coordinate([5, 0, 0, 0]));
        assert!(is_x_coordinate([1, 0, 0, 0]));
    }
}
