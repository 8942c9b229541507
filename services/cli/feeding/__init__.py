"""What `makegood feed` does: reading what a company has, showing what it becomes, and sending history on."""
