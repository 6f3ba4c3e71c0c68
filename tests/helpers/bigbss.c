/* SPDX-License-Identifier: MIT
 * bigbss: an image of 640 MiB, of which next to nothing is in the file. */
static volatile char big[640 << 20];

int main(void)
{
	return big[1];
}
