"""Measurements of the mirror beside what people use today, on the sandbox's archive and store. See README.md here.

memory     a file of gigabytes through `onc-mirror mirror`, and the memory that took
compare    files/s, MB/s, CPU and memory beside the plain `onc` client with boto3, and `rclone copyurl`
"""
